/**
 * The `bundle` script of every executable's package: `src/main.ts` and all it imports into one file, `dist/<name>.mjs`,
 * and beside it `dist/<name>.meta.json`, which says what went in (the SBOM is made from it).
 * Runs in the package's folder; the output depends on the sources alone, not on where they lie.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { build } from "esbuild";
import { withoutAbsentParts } from "./absent-parts.mjs";

const name = basename(process.cwd());
const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));

const { metafile } = await build({
  entryPoints: ["src/main.ts"],
  outfile: `dist/${name}.mjs`,
  bundle: true,
  minify: true,
  platform: "node",
  format: "esm",
  target: "node20",
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
  plugins: withoutAbsentParts,
  define: {
    __LIFECYCLE_VERSION__: JSON.stringify(version),
    // Without these the compiler writes down where it found the bundle.
    __dirname: '"/"',
    __filename: JSON.stringify(`/${name}.mjs`),
  },
  // CommonJS dependencies call require for node's own modules, which an ES module does not have.
  banner: { js: 'import { createRequire } from "node:module";const require = createRequire("file:///");' },
});

await mkdir("dist", { recursive: true });
await writeFile(`dist/${name}.meta.json`, JSON.stringify({ inputs: Object.keys(metafile.inputs).sort() }));
