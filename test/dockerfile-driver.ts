/**
 * Applies Dockerfiles as the lifecycle's executables do, in Bun, which they are compiled with:
 *
 *   bun dockerfile-driver.ts <jobs.json>
 *
 * What came of each job goes to `<jobs.json>.out`.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  applyDockerfile,
  DockerfileError,
  LayerCache,
  parseDockerfile,
  RootFileSystem,
} from "../packages/dockerfile/src/index.ts";
import { Downloader, type ImageConfig, Trust } from "../packages/image/src/index.ts";

/** A Dockerfile to be applied. */
export interface Job {
  file: string;
  /** The root, which is changed. */
  root: string;
  config: ImageConfig;
  buildArgs: Record<string, string>;
  context: string;
  /** Where layers are kept; a directory of the job's own. */
  cache: string;
  /** Seconds that cached layers are good for. */
  timeToLive?: number;
  /** A directory for what does not last; in the cache unless given. */
  work?: string;
  onlyRoot?: boolean;
  /** Where the caches of mounts are kept; in the cache unless given. */
  mountCaches?: string;
  ignored?: string[];
  /** Directories of other images by name. */
  images?: Record<string, string>;
  /** What is known of them by name; their directories unless given. */
  identities?: Record<string, string>;
}

/** What came of it. */
export interface JobResult {
  error?: { code: string; message: string };
  layers: { path: string; diffId: string }[];
  config?: ImageConfig;
  /** What was said of each instruction. */
  log: string[];
  warnings: string[];
  /** The images whose directories were looked into. */
  opened: string[];
  /** What programs said. */
  output: string;
  milliseconds: number;
}

async function apply(job: Job): Promise<JobResult> {
  const log: string[] = [];
  const warnings: string[] = [];
  const opened: string[] = [];
  let output = "";
  const started = performance.now();
  const workDirectory = job.work ?? join(job.cache, "work");
  mkdirSync(workDirectory, { recursive: true });
  const abort = new AbortController();
  const stop = () => abort.abort();
  process.once("SIGUSR1", stop);
  const downloader = new Downloader({ trust: new Trust(process.env), signal: abort.signal });
  try {
    const dockerfile = parseDockerfile(readFileSync(job.file, "utf8"), job.file);
    const { layers, config } = await applyDockerfile(dockerfile, {
      root: new RootFileSystem({ directory: job.root, ignored: job.ignored ?? [], identity: "base" }),
      config: job.config,
      buildArgs: job.buildArgs,
      context: job.context,
      cache: new LayerCache(job.cache, job.timeToLive ?? 3600),
      mountCaches: job.mountCaches ?? join(job.cache, "mounts"),
      helper: [process.execPath, join(import.meta.dirname, "dockerfile-exec.ts")],
      downloader,
      onlyRoot: job.onlyRoot ?? false,
      workDirectory,
      output: (chunk) => {
        output += chunk.toString();
      },
      log: (line) => log.push(line),
      warn: (message) => warnings.push(message),
      openImage: async (name) => {
        const directory = job.images?.[name];
        if (directory === undefined) throw new Error(`there is no image ${name}`);
        const root = async () => {
          opened.push(name);
          return directory;
        };
        return { identity: job.identities?.[name] ?? directory, root };
      },
      signal: abort.signal,
    });
    const files = layers.map(({ path, diffId }) => ({ path, diffId }));
    return { layers: files, config, log, warnings, opened, output, milliseconds: performance.now() - started };
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    const { code, message } = error;
    return {
      error: { code, message },
      layers: [],
      log,
      warnings,
      opened,
      output,
      milliseconds: performance.now() - started,
    };
  } finally {
    process.off("SIGUSR1", stop);
    await downloader.close();
  }
}

const path = process.argv[2] ?? "";
const results: JobResult[] = [];
for (const job of JSON.parse(readFileSync(path, "utf8")) as Job[]) {
  try {
    results.push(await apply(job));
  } catch (error) {
    throw new Error(`${job.file} was not applied`, { cause: error });
  }
}
writeFileSync(`${path}.out`, JSON.stringify(results));
