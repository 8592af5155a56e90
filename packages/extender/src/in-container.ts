import { existsSync, realpathSync, statSync } from "node:fs";
import type { Environment } from "@lifecycle/phase";

/** Where builders, and platforms that extend run images, have the lifecycle. */
const LIFECYCLE_DIR = "/cnb/lifecycle/";

/**
 * Makes sure that `/` may be changed. To be called as root, who alone can tell every container.
 *
 * @param executable what is to be run in a container
 * @throws Error
 */
export function requireContainer(env: Environment, executable: string): void {
  if (inContainer(env)) return;
  throw new Error(`it would change / of this machine; run the ${executable} in a container of the image to extend`);
}

/** Whether `/` is that of a container, as far as can be told, and not of somebody's machine. */
function inContainer(env: Environment): boolean {
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
