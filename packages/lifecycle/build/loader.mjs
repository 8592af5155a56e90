import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { INSTALL_DIR } from "./bun.mjs";

const SOURCE = fileURLToPath(new URL("../c/loader.c", import.meta.url));

/** Compiles `c/loader.c` to `path`: free of any library and of relocations, so that the kernel alone can start it. */
export function compileLoader(toolchain, path) {
  const [cc, ...before] = toolchain.cc;
  const includes = execFileSync(cc, [...before, "-print-file-name=include"], { encoding: "utf8" }).trim();
  const args = [
    ...["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fPIE", "-fno-stack-protector"],
    ...["-fno-asynchronous-unwind-tables", "-nostdinc", "-isystem", toolchain.muslIncludeDir, "-isystem", includes],
    `-DLOADER="${join(INSTALL_DIR, "ld-linux-x86-64.so.2")}"`,
    ...["-static-pie", "-nostdlib", "-s", "-Wl,--no-dynamic-linker", "-Wl,--build-id=none", "-Wl,-z,noexecstack"],
    ...["-o", path, SOURCE],
  ];
  execFileSync(cc, [...before, ...args], { stdio: ["ignore", "ignore", "inherit"] });
}
