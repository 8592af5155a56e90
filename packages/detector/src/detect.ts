import {
  type Candidate,
  type Detected,
  DetectionError,
  DirStore,
  detectOrder,
  LogRecorder,
  mergeSystemBuildpacks,
  prependExtensions,
  verifyOrder,
} from "@lifecycle/buildpack";
import { formatEnviron, newBuildEnv } from "@lifecycle/env";
import {
  ExitCode,
  failedTo,
  type Inputs,
  inContext,
  LifecycleError,
  type PhaseContext,
  readAnalyzed,
  readOrder,
  readSystem,
  timed,
  writeGroup,
  writePlan,
} from "@lifecycle/phase";
import type { Analyzed, Order } from "@lifecycle/spec-types";

/** What the detector works on. Paths are absolute; an empty directory is none. */
export type DetectOptions = Pick<
  Inputs,
  | "analyzedPath"
  | "appDir"
  | "buildConfigDir"
  | "buildpacksDir"
  | "execEnv"
  | "extensionsDir"
  | "groupPath"
  | "orderPath"
  | "planPath"
  | "platformApi"
  | "platformDir"
  | "systemPath"
> &
  Pick<PhaseContext, "env" | "logger" | "verifyBuildpackApi" | "guardExperimental">;

/**
 * Finds the group of buildpacks that applies to the application and resolves its build plan; writes both to group.toml
 * and plan.toml. Platform spec, "detector".
 *
 * @throws LifecycleError with exit code 20 or 21 if no group applies, 12 for an unsupported Buildpack API
 */
export async function detect(options: DetectOptions): Promise<Detected> {
  const { platformApi, guardExperimental } = options;
  const store = new DirStore(options);
  const { analyzed, order } = initialize(() => {
    const analyzed = readAnalyzed(options.analyzedPath, options.logger);
    const order = readOrderWithSystem(options);
    verifyOrder(order, store, options.verifyBuildpackApi);
    return { analyzed, order };
  });
  if (order.orderExtensions.length > 0 && platformApi.lessThan("0.13")) guardExperimental("Dockerfiles");

  const detected = await timed("Detector", options.logger, () =>
    search(prependExtensions(order), store, analyzed, options),
  ).catch((error: unknown) => {
    throw explain(error, options);
  });
  writeGroup(options.groupPath, detected.group);
  writePlan(options.planPath, detected.plan);
  return detected;
}

/** A Buildpack API that is not supported keeps its own message, as in the phases that verify it later. */
function isIncompatible(error: unknown): error is LifecycleError {
  return error instanceof LifecycleError && error.exitCode === ExitCode.incompatibleBuildpackApi;
}

function initialize<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (isIncompatible(error)) throw error;
    throw failedTo("initialize detector", error, ExitCode.failed);
  }
}

function readOrderWithSystem({ orderPath, systemPath, platformApi, logger }: DetectOptions): Order {
  const order = during("reading order", () => readOrder(orderPath));
  if (platformApi.lessThan("0.15")) return order;
  const system = during("reading system", () => readSystem(systemPath, logger));
  return { ...order, order: mergeSystemBuildpacks(order.order, system, logger) };
}

function during<T>(doing: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw inContext(doing, error);
  }
}

/** How the groups were resolved is shown afterwards: to a user whose application fits none, in full. */
async function search(
  order: readonly (readonly Candidate[])[],
  store: DirStore,
  analyzed: Analyzed,
  options: DetectOptions,
): Promise<Detected> {
  const { logger } = options;
  const resolverLogger = new LogRecorder();
  try {
    const detected = await detectOrder(order, {
      ...options,
      store,
      resolverLogger,
      env: newBuildEnv(formatEnviron(options.env)),
      runImageTarget: analyzed.runImage?.target,
    });
    resolverLogger.replay(logger);
    return detected;
  } catch (error) {
    resolverLogger.replay(logger.unfiltered());
    throw error;
  }
}

function explain(error: unknown, { logger }: DetectOptions): LifecycleError {
  if (isIncompatible(error)) return error;
  if (!(error instanceof DetectionError)) return failedTo("detect", error, ExitCode.detectError);
  logger.error("No buildpack groups passed detection.");
  if (error.erred) return failedTo("detect", error, ExitCode.failedDetectWithErrors);
  logger.error("Please check that you are running against the correct path.");
  return failedTo("detect", error, ExitCode.failedDetect);
}
