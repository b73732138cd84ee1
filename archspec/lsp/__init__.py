"""The language server: archspec.authoring for editors, over the Language Server Protocol."""
