import { dispatch, type ExecutableName } from "./dispatch.ts";

/** What the package of an executable offers as `./main`. */
interface Executable {
  /** Runs to the end and says with which exit code. */
  main(argv: readonly string[]): Promise<number>;
}

/** Each is read and evaluated only when it is the one that runs. */
const EXECUTABLES: Record<ExecutableName, () => Promise<Executable>> = {
  analyzer: () => import("@lifecycle/analyzer/main"),
  builder: () => import("@lifecycle/builder/main"),
  creator: () => import("@lifecycle/creator/main"),
  detector: () => import("@lifecycle/detector/main"),
  extender: () => import("@lifecycle/extender/main"),
  exporter: () => import("@lifecycle/exporter/main"),
  generator: () => import("@lifecycle/generator/main"),
  preparer: () => import("@lifecycle/preparer/main"),
  rebaser: () => import("@lifecycle/rebaser/main"),
  restorer: () => import("@lifecycle/restorer/main"),
};

// Any certificate would be trusted on the word of a variable that an image's author may have set for the application.
delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;

const invocation = dispatch(process.argv0, process.argv.slice(2));
if (invocation.kind === "run") {
  const { main } = await EXECUTABLES[invocation.executable]();
  process.exit(await main(invocation.argv));
} else if (invocation.kind === "exec in root") {
  const { execInRoot } = await import("@lifecycle/dockerfile/exec-in-root");
  process.exit(execInRoot(invocation.request));
} else if (invocation.kind === "extend for creator") {
  const { main } = await import("@lifecycle/creator/worker");
  process.exit(await main());
} else {
  const { answerWithoutPhase } = await import("./without-phase.ts");
  process.exit(answerWithoutPhase(invocation, process.env));
}
