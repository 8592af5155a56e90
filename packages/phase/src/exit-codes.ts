/** Exit codes of the lifecycle (platform.md, "Exit Code" tables; 10 codes to a phase). */
export const ExitCode = {
  /** Any failure without a code of its own. */
  failed: 1,
  /** An unknown flag or a flag's value that does not parse. */
  usage: 2,
  /** Arguments or inputs that do not fit together. */
  invalidArgs: 3,
  incompatiblePlatformApi: 11,
  incompatibleBuildpackApi: 12,
  /** No group of buildpacks passed detection. */
  failedDetect: 20,
  /** No group passed, and at least one buildpack's bin/detect erred. */
  failedDetectWithErrors: 21,
  detectError: 22,
  analyzeError: 32,
  restoreError: 42,
  /** A buildpack's bin/build failed. */
  failedBuildWithErrors: 51,
  buildError: 52,
  exportError: 62,
  rebaseError: 72,
  /** An image extension's bin/generate failed. */
  failedGenerateWithErrors: 91,
  generateError: 92,
  extendError: 102,
  /** The preparer failed for a reason that has no code of its own. Its codes are this lifecycle's (docs/preparer.md). */
  prepareError: 110,
  /** project.toml cannot be read, or contradicts itself. */
  invalidDescriptor: 111,
  /** A buildpack that project.toml names cannot be found or fetched. */
  buildpackNotFound: 112,
  /** What was fetched is not what was asked for. */
  buildpackMismatch: 113,
  /** An archive holds what must not be unpacked, or is too large. */
  archiveRefused: 114,
  /** A buildpack does not run on the build's target. */
  incompatibleTarget: 115,
  /** Ended by SIGTERM: 128 + 15. */
  terminated: 143,
} as const;
