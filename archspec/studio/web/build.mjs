// Bundles src/main.tsx and src/studio.css into ../static (or the folder named), the same bytes every time.
import { build } from "esbuild";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));

await build({
  absWorkingDir: here,
  entryPoints: [
    { in: "src/main.tsx", out: "studio" },
    { in: "src/style/studio.css", out: "studio" },
  ],
  outdir: process.argv[2] ?? "../static",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["chrome110", "firefox115", "safari16"],
  jsx: "automatic",
  jsxImportSource: "preact",
  external: ["../font"],
  legalComments: "none",
  logLevel: "warning",
});
