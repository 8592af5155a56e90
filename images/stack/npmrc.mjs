import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Settings of the user's machine that mean nothing in the build. */
const LOCAL = /^\s*(registry|cafile|cache|prefix|globalconfig|userconfig)\s*=/;

/**
 * Hands the user's npm settings to the build, as a service binding of the type `npmrc`: the registry, what is needed to
 * be let in there, and the certificates it is trusted by.
 *
 * @param {string} directory the binding's directory
 * @param {string} inside the same directory, as the build sees it
 */
export async function writeNpmrcBinding(directory, inside) {
  const setting = (name) => {
    const value = execFileSync("npm", ["config", "get", name], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return value.trim();
  };
  await mkdir(directory, { recursive: true });
  const userConfig = setting("userconfig");
  const lines = existsSync(userConfig) ? (await readFile(userConfig, "utf8")).split("\n") : [];
  const npmrc = [...lines.filter((line) => !LOCAL.test(line)), `registry=${setting("registry")}`];
  const certificates = [setting("cafile"), process.env.NODE_EXTRA_CA_CERTS].find((path) => path && existsSync(path));
  if (certificates !== undefined) {
    await copyFile(certificates, join(directory, "ca.pem"));
    npmrc.push(`cafile=${inside}/ca.pem`);
  }
  await writeFile(join(directory, "type"), "npmrc");
  await writeFile(join(directory, ".npmrc"), `${npmrc.join("\n")}\n`, { mode: 0o600 });
}
