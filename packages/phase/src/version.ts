/** Set when the executables are bundled; absent when the sources run as they are. */
declare const __LIFECYCLE_VERSION__: string | undefined;

/** The lifecycle's version, as `-version` prints it and as labels name it. */
export function lifecycleVersion(): string {
  return typeof __LIFECYCLE_VERSION__ === "string" ? __LIFECYCLE_VERSION__ : "0.0.0";
}
