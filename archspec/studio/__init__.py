"""The studio: one local page where a spec is edited and everything archspec knows of it is seen.

Read it in this order: opening (what was asked for), safety (who may ask), app (addresses), the
modules of `routes/` (one for each kind of question), worker (the parent's side of the process that
expands) and desk (that process), looking (what one keystroke asks of it).

The page is written in web/, in TypeScript, and bundled into static/ by `npm run build` there.
"""
