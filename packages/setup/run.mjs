/**
 * `npm run build`, `npm run demo` and `npm test`: sets up what is missing on this machine, inside the checkout, and
 * does it. Works with Node.js and npm alone.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readArguments as checkDemo } from "../../images/demo/arguments.mjs";
import { SetupError, say } from "./report.mjs";
import { ensureToolchain } from "./toolchain.mjs";
import { checkMachine, checkWritable, ensureDependencies, run, withPnpm } from "./workspace.mjs";

const COMMANDS = { build, demo, test };

try {
  const [name = "", ...args] = process.argv.slice(2);
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) throw new SetupError(`say what to do: ${Object.keys(COMMANDS).join(", ")}`);
  checkMachine();
  checkWritable();
  const env = withPnpm();
  ensureDependencies(env);
  command(env, args);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  process.exitCode = 1;
}

function build(env) {
  ensureToolchain();
  run(["turbo", "run", "build", "--ui=stream", "--output-logs=new-only"], env, "build");
  run([process.execPath, "packages/lifecycle/build/place.mjs"], env, "fill dist/");
}

function demo(env, args) {
  checkDemo(args);
  build(env);
  run([process.execPath, "images/demo/demo.mjs", ...args], env, "run the demo");
}

/** The last line says how many tests passed and failed; the first step that fails is the last. */
function test(env, args) {
  const total = { passed: 0, failed: 0 };
  try {
    run(["tsc", "-p", "."], env, "pass the type check");
    run(["biome", "check"], env, "pass the linter");
    vitest("unit", args, env, total);
    build(env);
    vitest("black-box", args, env, total);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    process.exitCode = 1;
  }
  process.stdout.write(`${total.passed} passed, ${total.failed} failed\n`);
}

function vitest(project, args, env, total) {
  const folder = mkdtempSync(join(tmpdir(), "lifecycle-test-"));
  const report = join(folder, "report.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  try {
    run(
      ["vitest", "run", `--project=${project}`, "--passWithNoTests", ...reporters, ...args],
      env,
      `pass the ${project} tests`,
    );
  } finally {
    count(report, total);
    rmSync(folder, { recursive: true });
  }
}

/** A file whose tests could not even start counts as one that failed. No report: vitest itself has said why. */
function count(report, total) {
  if (!existsSync(report)) return;
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, "utf8"));
  const broken = testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.every((each) => each.status !== "failed"),
  );
  total.passed += numPassedTests;
  total.failed += numFailedTests + broken.length;
}
