import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { withoutAbsentParts } from "../../setup/absent-parts.mjs";

/**
 * Writes the modules of the multi-call executable into `dir`: `main.mjs`, what it loads when no phase is asked for, and
 * the bundle of every executable's package as it stands.
 *
 * @param {string} packages the folder of the workspaces
 * @param {{ version: string, names: string[] }} lifecycle
 */
export async function writeModules(dir, packages, { version, names }) {
  const bundles = {
    name: "bundles",
    setup(esbuild) {
      esbuild.onResolve({ filter: /^@lifecycle\/[^/]+\/main$/ }, ({ path }) => ({
        path: `./${path.split("/")[1]}.mjs`,
        external: true,
      }));
    },
  };
  await build({
    // Names of chunks depend on it.
    absWorkingDir: join(packages, "lifecycle"),
    entryPoints: { main: "src/main.ts" },
    outdir: dir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    minify: true,
    platform: "node",
    format: "esm",
    target: "node20",
    legalComments: "none",
    logLevel: "warning",
    plugins: [bundles, ...withoutAbsentParts],
    define: { __LIFECYCLE_VERSION__: JSON.stringify(version), __dirname: '"/"', __filename: '"/main.mjs"' },
    banner: { js: 'import { createRequire } from "node:module";const require = createRequire("file:///");' },
  });
  // Settings of their own, or the compiler would look for some in the folders above.
  writeFileSync(join(dir, "package.json"), '{ "type": "module" }\n');
  writeFileSync(join(dir, "tsconfig.json"), "{}\n");
  for (const name of names) copyFileSync(join(packages, name, "dist", `${name}.mjs`), join(dir, `${name}.mjs`));
}

/**
 * What TypeScript modules of the workspaces export, for a build that runs on a Node that cannot read TypeScript.
 *
 * @param {string} dir where `source` lies, for its imports
 */
export async function importTypeScript(dir, source) {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: dir, loader: "ts" },
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    logLevel: "warning",
    plugins: withoutAbsentParts,
    banner: { js: 'import { createRequire } from "node:module";const require = createRequire("file:///");' },
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}
