import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";

/** 1980-01-01T00:00:01Z, which the lifecycle gives its layers' files too. */
const TIME = "@315532801";

/**
 * Writes an image of one layer in OCI layout. The same root file system gives the same image.
 *
 * @param {string} root the root file system; all of it belongs to root in the image
 * @param {string} directory where the image goes
 * @param {Record<string, unknown>} config the `config` part of the image's configuration
 */
export async function writeLayout(root, directory, config) {
  await writeImage(directory, await writeLayer(root, directory, ["--owner=0", "--group=0"]), config);
}

/**
 * Writes a root file system as a layer, a blob of an OCI layout. The same root file system gives the same layer.
 *
 * @param {string} root
 * @param {string} directory the layout's
 * @param {string[]} options further ones for tar: who files belong to, what is left out
 */
export async function writeLayer(root, directory, options) {
  const blobs = join(directory, "blobs/sha256");
  await mkdir(blobs, { recursive: true });

  const diffId = createHash("sha256");
  const digest = createHash("sha256");
  const compressed = new PassThrough().on("data", (chunk) => digest.update(chunk));
  const file = join(blobs, "layer");
  const always = ["--sort=name", `--mtime=${TIME}`, "--numeric-owner", "--format=ustar"];
  const tar = spawn("tar", ["--create", ...always, ...options, "--directory", root, "."], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve, reject) => {
    tar.once("error", reject);
    tar.once("close", (code) => (code === 0 ? resolve() : reject(new Error(`tar ended with exit code ${code}`))));
  });
  tar.stdout.on("data", (chunk) => diffId.update(chunk));
  await Promise.all([ended, pipeline(tar.stdout, createGzip(), compressed, createWriteStream(file))]);
  const descriptor = {
    mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
    digest: `sha256:${digest.digest("hex")}`,
    size: (await stat(file)).size,
  };
  await rename(file, join(blobs, descriptor.digest.slice("sha256:".length)));
  return { descriptor, diffId: `sha256:${diffId.digest("hex")}` };
}

/**
 * Writes an image of one layer, whose blob lies there already, in OCI layout.
 *
 * @param {string} directory the layout's
 * @param {{ descriptor: object, diffId: string }} layer
 * @param {Record<string, unknown>} config the `config` part of the image's configuration
 */
export async function writeImage(directory, layer, config) {
  const blobs = join(directory, "blobs/sha256");
  const json = async (mediaType, value) => {
    const content = JSON.stringify(value);
    const hex = createHash("sha256").update(content).digest("hex");
    await writeFile(join(blobs, hex), content);
    return { mediaType, digest: `sha256:${hex}`, size: Buffer.byteLength(content) };
  };
  const configuration = await json("application/vnd.oci.image.config.v1+json", {
    created: "1980-01-01T00:00:01Z",
    architecture: "amd64",
    os: "linux",
    config,
    rootfs: { type: "layers", diff_ids: [layer.diffId] },
    history: [{ created: "1980-01-01T00:00:01Z", created_by: "Debian packages" }],
  });
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const layers = [layer.descriptor];
  const manifest = await json(mediaType, { schemaVersion: 2, mediaType, config: configuration, layers });
  await writeFile(join(directory, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await writeFile(
    join(directory, "index.json"),
    JSON.stringify({ schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [manifest] }),
  );
}
