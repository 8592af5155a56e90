import type { TransferObserver } from "@lifecycle/image";
import { type ApiVersion, DEFAULTS, ENV, type GroupElement } from "@lifecycle/spec-types";
import { messageOf } from "@lifecycle/syscall";
import { type DeprecationMode, verifyBuildpackApi, verifyPlatformApi } from "./api-verification.ts";
import { LifecycleError } from "./errors.ts";
import { ExitCode } from "./exit-codes.ts";
import { guardExperimental } from "./experimental.ts";
import { type CommandLine, type FlagName, parseCommandLine, UsageError, usageOf } from "./flags.ts";
import { type Environment, type Inputs, inputsFromEnvironment, verifyNumbers } from "./inputs.ts";
import { ConsoleLogger, type Logger } from "./logger.ts";
import { applyPrepared } from "./prepared.ts";
import { stopOnSignals } from "./stop-on-signals.ts";
import { TransferDisplay } from "./transfer-display.ts";
import { lifecycleVersion } from "./version.ts";

/** What every step of an executable is handed. */
export interface PhaseContext {
  readonly inputs: Inputs;
  readonly env: Environment;
  readonly logger: Logger;
  /** Shows transfers that take long. */
  readonly transfers: TransferObserver;
  /** Aborted when the process is told to stop; what is going on then has a few seconds to clean up. */
  readonly signal: AbortSignal;
  /** Fails with exit code 12 for a Buildpack API that is not supported; `kind` is "Buildpack" or "Extension". */
  verifyBuildpackApi(kind: string, name: string, api: string): void;
  /** As `verifyBuildpackApi`, for all that group.toml has of a kind. */
  verifyApisOf(kind: "Buildpack" | "Extension", group: readonly GroupElement[]): void;
  /** Fails when experimental features are switched off; `feature` is what the message calls it. */
  guardExperimental(feature: string): void;
}

/**
 * An executable, in the four steps that all of them have.
 *
 * @typeParam Access what is got while the process may still be root (credentials, sockets) and used afterwards
 */
export interface Phase<Access> {
  /** The executable's name: "analyzer". */
  readonly name: string;
  /** The flags it takes at that Platform API. */
  flags(api: ApiVersion): FlagName[];
  /** Checks the arguments and fills in what follows from other inputs. */
  resolve(context: PhaseContext, args: readonly string[]): void | Promise<void>;
  /** Gets what needs privileges, then gives them up. */
  privileges(context: PhaseContext): Access | Promise<Access>;
  /** Does the work. */
  execute(context: PhaseContext, access: Access): Promise<void>;
}

/**
 * Runs an executable from its command line to its exit code. What goes wrong is printed as one line.
 *
 * @param argv the arguments without the executable's own name
 */
export async function runPhase<Access>(
  phase: Phase<Access>,
  argv: readonly string[],
  env: Environment,
): Promise<number> {
  const logger = new ConsoleLogger({ level: "info", color: true });
  const signal = stopOnSignals();
  try {
    const deprecation: DeprecationMode = env[ENV.deprecationMode] || DEFAULTS.deprecationMode;
    const start = readCommandLine(phase, argv, env, logger, deprecation);
    if (typeof start === "number") {
      return start;
    }
    const { inputs, args } = start;
    const prepares =
      phase.name === "preparer" || (inputs.prepare && phase.flags(inputs.platformApi).includes("prepare"));
    if (!prepares) {
      applyPrepared(inputs, env, argv, logger);
    }
    const { logLevel: level, logFormat: format, noColor } = inputs;
    logger.configure({ level, format, color: !noColor, phase: phase.name });
    for (const arg of args.filter((each) => each.startsWith("-"))) {
      logger.warn(
        `Warning: unconsumed flag-like positional arg: \n\t${arg}\n\t This will not be interpreted as a flag.\n\t Did you mean to put this before the first positional argument?`,
      );
    }
    const verifyApi: PhaseContext["verifyBuildpackApi"] = (kind, name, api) =>
      verifyBuildpackApi(kind, name, api, deprecation, logger);
    const context: PhaseContext = {
      inputs,
      env,
      logger,
      transfers: new TransferDisplay(logger, process.stdout.isTTY ? process.stdout : undefined),
      signal,
      verifyBuildpackApi: verifyApi,
      verifyApisOf: (kind, group) => {
        for (const { id, version, api = "" } of group) {
          verifyApi(kind, `${id}@${version}`, api);
        }
      },
      guardExperimental: (feature) =>
        guardExperimental(feature, env[ENV.experimentalMode] || DEFAULTS.experimentalMode, logger),
    };
    logger.debug(`Starting ${phase.name}...`);
    logger.debug("Parsing inputs...");
    await phase.resolve(context, args);
    logger.debug("Ensuring privileges...");
    const access = await phase.privileges(context);
    logger.debug("Executing command...");
    await phase.execute(context, access);
    // What a phase only warns of, such as a cache that is not written, may have ended because of the signal.
    signal.throwIfAborted();
    return 0;
  } catch (thrown) {
    // A phase says what it could not do any more, which is not what went wrong.
    const error: unknown = signal.aborted ? signal.reason : thrown;
    logger.error(messageOf(error));
    if (error instanceof Error && error.stack !== undefined) {
      logger.debug(error.stack);
    }
    return error instanceof LifecycleError ? error.exitCode : ExitCode.failed;
  }
}

/** The inputs and arguments to go on with, or the exit code when there is nothing more to do. */
function readCommandLine(
  phase: Phase<unknown>,
  argv: readonly string[],
  env: Environment,
  logger: Logger,
  deprecation: DeprecationMode,
): { inputs: Inputs; args: readonly string[] } | number {
  const requested = env[ENV.platformApi] ?? "";
  if (argv.length === 1 && /^--?version$/.test(argv[0] ?? "")) {
    logger.info(lifecycleVersion());
    return 0;
  }
  const api = verifyPlatformApi(requested, deprecation, logger);
  const allowed: FlagName[] = [...phase.flags(api), "log-format"];
  const inputs = inputsFromEnvironment(api, env);
  let commandLine: CommandLine;
  try {
    commandLine = parseCommandLine(argv, allowed, inputs);
  } catch (error) {
    if (!(error instanceof UsageError)) {
      throw error;
    }
    process.stderr.write(`${error.message}\n${usageOf(allowed, inputsFromEnvironment(api, env))}`);
    return ExitCode.usage;
  }
  if (commandLine.help) {
    process.stderr.write(usageOf(allowed, inputsFromEnvironment(api, env)));
    return 0;
  }
  if (commandLine.version) {
    logger.info(lifecycleVersion());
    return 0;
  }
  verifyNumbers(env, allowed);
  return { inputs, args: commandLine.args };
}
