export { verifyPlatformApi } from "./api-verification.ts";
export { shieldCredentials } from "./credential-shield.ts";
export { failedTo, inContext, LifecycleError, whilst } from "./errors.ts";
export { ExitCode } from "./exit-codes.ts";
export * from "./files.ts";
export type { FlagName } from "./flags.ts";
export { type ImageAccess, openImageAccess, openRegistry, registryWith, type StoreContext } from "./image-access.ts";
export type { Environment, Inputs } from "./inputs.ts";
export { ConsoleLogger, type Logger } from "./logger.ts";
export { openCache } from "./open-cache.ts";
export { takePrepared } from "./prepared.ts";
export { becomeUser, environmentForUser, isPrivileged, withoutPrivileges } from "./privileges.ts";
export { requireArguments, resolveInputs, takeImageArguments } from "./resolve-inputs.ts";
export {
  type AccessCheck,
  accessChecker,
  bestRunImage,
  containsImage,
  requireAccessibleRunImage,
  runImageForExport,
  runImageNotFound,
} from "./run-image.ts";
export { type Phase, type PhaseContext, runPhase } from "./run-phase.ts";
export { saveImage } from "./save-image.ts";
export { stopOnSignals } from "./stop-on-signals.ts";
export { targetOf } from "./target.ts";
export { timed } from "./timer.ts";
export { TransferDisplay } from "./transfer-display.ts";
export { lifecycleVersion } from "./version.ts";
export { writeFileAtomic } from "./write-file.ts";
