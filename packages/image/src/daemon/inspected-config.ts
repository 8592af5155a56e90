import { type ImageConfig, parseConfig } from "../config.ts";
import type { JsonObject, JsonValue } from "../go-json.ts";
import { JsonReader } from "../json-border.ts";

/** What a daemon tells of a config and images keep; the rest is about containers. */
const runtimeFields = [
  "Cmd",
  "Entrypoint",
  "Env",
  "ExposedPorts",
  "Labels",
  "OnBuild",
  "Shell",
  "StopSignal",
  "User",
  "Volumes",
  "WorkingDir",
] as const;

const healthFields = ["Test", "Interval", "Timeout", "StartPeriod", "Retries"] as const;

/**
 * The config of a daemon's image, put together from what the daemon tells of it. The original is not to be had without
 * all of the image's layers, and has fields that are lost here: the reference lifecycle makes the same of it, so that
 * an image built upon it has the same ID.
 * @param inspected the daemon's answer to an inspection
 * @param steps its history, last one first; when each was made is left out, as no image built upon it says so
 * @throws ImageError `invalid` if a field has another type than the API says
 */
export function inspectedConfig(inspected: JsonObject, steps: readonly JsonObject[], where: string): ImageConfig {
  const image = new JsonReader(inspected, where);
  const rootfs = image.object("RootFS") ?? {};
  const config = image.object("Config") ?? {};
  const health = new JsonReader(config, `${where}: Config`).object("Healthcheck");
  const document = {
    architecture: image.text("Architecture"),
    author: image.text("Author"),
    created: image.text("Created"),
    history: [...steps].reverse().map((step) => historyOf(new JsonReader(step, `history of ${where}`))),
    os: image.text("Os"),
    rootfs: { type: "layers", diff_ids: rootfs.Layers ?? [] },
    config: { ...pick(config, runtimeFields), Healthcheck: health && pick(health, healthFields) },
    "os.version": image.text("OsVersion"),
    variant: image.text("Variant"),
  };
  return parseConfig(Buffer.from(JSON.stringify(document)), where);
}

function historyOf(step: JsonReader): JsonObject {
  return { created_by: step.text("CreatedBy"), comment: step.text("Comment") };
}

function pick(object: JsonObject, names: readonly string[]): { [name: string]: JsonValue } {
  const picked: { [name: string]: JsonValue } = {};
  for (const name of names) {
    const value = object[name];
    if (value !== undefined && value !== null) picked[name] = value;
  }
  return picked;
}
