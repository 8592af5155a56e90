import type { Host } from "./host.ts";
import { main } from "./main.ts";

/** The border to `c/launcher.c`, which sets the one global before it runs the bundle and reads the other after it. */
declare global {
  var host: Host;
  var exitCode: number;
}

globalThis.exitCode = main(globalThis.host);
