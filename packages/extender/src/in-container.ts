import { existsSync, realpathSync, statSync } from "node:fs";
import type { Environment } from "@lifecycle/phase";

/** Where builders, and platforms that extend run images, have the lifecycle. */
const LIFECYCLE_DIR = "/cnb/lifecycle/";

/** Whether `/` is that of a container, as far as can be told, and not of somebody's machine. */
export function inContainer(env: Environment): boolean {
  return (
    realpathSync(process.execPath).startsWith(LIFECYCLE_DIR) ||
    existsSync("/.dockerenv") ||
    existsSync("/run/.containerenv") ||
    Boolean(env.container) ||
    Boolean(env.KUBERNETES_SERVICE_HOST) ||
    hasOtherRootThanInit()
  );
}

function hasOtherRootThanInit(): boolean {
  try {
    const [ours, theirs] = [statSync("/"), statSync("/proc/1/root/")];
    return ours.ino !== theirs.ino || ours.dev !== theirs.dev;
  } catch {
    // Without /proc, or without the right to look.
    return false;
  }
}
