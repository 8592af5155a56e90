// The second half of what reference.bench.mjs measures: image extensions that extend a build and a run image, applied by both lifecycles'
// phases and by our creator, each in a root file system of its own over the same image, as a container has it.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { startFaultProxy } from "../harness/fault-proxy.ts";
import { startRegistry } from "../harness/registry.ts";
import { unpackLifecycle } from "../harness/sample-builder.ts";
import { writeScratchImage } from "../harness/scratch-image.ts";
import { copyImage } from "../harness/skopeo.ts";
import { Comparison, type Costs, measure } from "./costs.ts";

/** Files of the image that is extended, by scenario. */
const SCENARIOS: Record<string, { readonly files: number; readonly rounds: number }> = {
  "image of 20,000 files": { files: 20_000, rounds: 2 },
  "image of 100,000 files": { files: 100_000, rounds: 1 },
};

const USER = 1000;

/** One file changed, 500 added, one removed, and one copied. */
const DOCKERFILE = `ARG base_image
FROM \${base_image}
ARG user_id
USER root
RUN echo changed >>/usr/lib/0/file-1
RUN cp -r /usr/lib/1 /opt/tool && rm /usr/lib/0/file-2
COPY copied /opt/copied
USER \${user_id}
`;

/** Becomes a command in a container's root: an overlay of the image, with the volumes of the build mounted. */
const ENTER = `set -e
dir=$1 image=$2; shift 2
rm -rf "$dir/upper" "$dir/overlay"
mkdir -p "$dir/root" "$dir/upper" "$dir/overlay"
mount -t overlay -o "lowerdir=$image,upperdir=$dir/upper,workdir=$dir/overlay" overlay "$dir/root"
mount -t proc proc "$dir/root/proc"
mount --bind /dev "$dir/root/dev"
for volume in "$dir"/volumes/*; do
  mkdir -p "$dir/root/$(basename "$volume")"
  mount --bind "$volume" "$dir/root/$(basename "$volume")"
done
mkdir -p "$dir/root/cnb/lifecycle"
mount --bind "$dir/lifecycle" "$dir/root/cnb/lifecycle"
exec chroot "$dir/root" "$@"`;

const [reference = "", ...wanted] = process.argv.slice(2);
const work = mkdtempSync(join(tmpdir(), "extensions-bench-"));
chmodSync(work, 0o755);
const registry = await startRegistry();
const proxy = await startFaultProxy(registry.host);

function write(path: string, content: string | Uint8Array, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, mode);
}

/** The root file system of the image: busybox, and files. */
function writeRoot(root: string, files: number): void {
  for (const directory of ["bin", "opt", "proc", "tmp", "etc", "dev"])
    mkdirSync(join(root, directory), { recursive: true });
  copyFileSync(
    execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim(),
    join(root, "bin/busybox"),
  );
  chmodSync(join(root, "bin/busybox"), 0o755);
  for (const name of ["sh", "cp", "rm", "echo", "mkdir", "cat"]) symlinkSync("busybox", join(root, "bin", name));
  write(join(root, "etc/passwd"), `root:x:0:0::/root:/bin/sh\ncnb:x:${USER}:${USER}::/:/bin/sh\n`);
  write(join(root, "etc/group"), `root:x:0:\ncnb:x:${USER}:\n`);
  write(join(root, "etc/os-release"), 'ID=bench\nVERSION_ID="1"\n');
  write(join(root, ".dockerenv"), "");
  chmodSync(join(root, "tmp"), 0o1777);
  const content = randomBytes(2000).toString("hex");
  for (let file = 0; file < files; file++) {
    const path = join(root, `usr/lib/${Math.floor(file / 500)}/file-${file}`);
    if (file % 500 === 0) mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${file}${content}`);
  }
}

/** The volumes of a build, as they are before the first phase. */
function writeVolumes(volumes: string): void {
  const cnb = join(volumes, "files");
  const extension = join(cnb, "extensions/bench_extension/1");
  write(join(extension, "extension.toml"), 'api = "0.10"\n[extension]\nid = "bench/extension"\nversion = "1"\n');
  write(join(extension, "bin/detect"), "#!/bin/sh\n", 0o755);
  const generate = `#!/bin/sh\ncat >"$CNB_OUTPUT_DIR/build.Dockerfile" <<'END'\n${DOCKERFILE}END\ncp "$CNB_OUTPUT_DIR/build.Dockerfile" "$CNB_OUTPUT_DIR/run.Dockerfile"\n`;
  write(join(extension, "bin/generate"), generate, 0o755);
  const buildpack = join(cnb, "buildpacks/bench_buildpack/1");
  write(join(buildpack, "buildpack.toml"), 'api = "0.10"\n[buildpack]\nid = "bench/buildpack"\nversion = "1"\n');
  for (const program of ["detect", "build"]) write(join(buildpack, "bin", program), "#!/bin/sh\n", 0o755);
  write(
    join(cnb, "order.toml"),
    '[[order-extensions]]\n[[order-extensions.group]]\nid = "bench/extension"\nversion = "1"\n[[order]]\n[[order.group]]\nid = "bench/buildpack"\nversion = "1"\n',
  );
  write(join(volumes, "workspace/copied"), randomBytes(1000));
  for (const name of ["kaniko", "cache", "platform", "layers"]) mkdirSync(join(volumes, name));
  renew(join(volumes, "layers"));
  renew(join(volumes, "cache"));
  execFileSync("chown", ["-R", `${USER}:${USER}`, join(volumes, "workspace")]);
}

function renew(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  execFileSync("chown", [`${USER}:${USER}`, directory]);
}

/** One lifecycle's builds, with volumes that they keep. */
class Builds {
  readonly #dir: string;
  readonly #root: string;
  readonly #image: string;

  constructor(dir: string, root: string, lifecycle: string) {
    this.#dir = dir;
    this.#root = root;
    this.#image = `${proxy.host}/${randomBytes(4).toString("hex")}/app`;
    symlinkSync(lifecycle, join(dir, "lifecycle"));
    writeVolumes(join(dir, "volumes"));
  }

  async phases(): Promise<Map<string, Costs>> {
    renew(join(this.#dir, "volumes/layers"));
    const costs = new Map<string, Costs>();
    const step = async (name: string, asRoot: boolean, [phase = "", ...args]: readonly string[]) => {
      costs.set(name, await this.#run(phase, args, asRoot));
    };
    const user = ["-uid", `${USER}`, "-gid", `${USER}`];
    await step("analyzer", true, ["analyzer", ...user, "-run-image", `${proxy.host}/base:1`, this.#image]);
    await step("detector", false, ["detector", "-order", "/files/order.toml", "-extensions", "/files/extensions"]);
    await step("restorer", true, ["restorer", ...user, "-cache-dir", "/cache", "-build-image", `${proxy.host}/base:1`]);
    await step("extender, build", true, ["extender", "-kind", "build", ...user]);
    await step("extender, run", true, ["extender", "-kind", "run", ...user]);
    await step("exporter", true, ["exporter", ...user, "-cache-dir", "/cache", this.#image]);
    return costs;
  }

  creator(): Promise<Costs> {
    renew(join(this.#dir, "volumes/layers"));
    const flags = ["-order", "/files/order.toml", "-extensions", "/files/extensions", "-cache-dir", "/cache"];
    const user = ["-uid", `${USER}`, "-gid", `${USER}`];
    return this.#run(
      "creator",
      [...flags, ...user, "-run-image", `${proxy.host}/base:1`, `${this.#image}-creator`],
      true,
    );
  }

  #run(phase: string, args: readonly string[], asRoot: boolean): Promise<Costs> {
    const as = asRoot ? [] : [`--userspec=${USER}:${USER}`];
    const enter = asRoot ? ENTER : ENTER.replace("exec chroot", `exec chroot ${as.join(" ")}`);
    const command = ["unshare", "--mount", "--pid", "--fork", "sh", "-c", enter, "sh", this.#dir, this.#root];
    return measure([...command, `/cnb/lifecycle/${phase}`, ...args], {
      proxy,
      directory: work,
      env: {
        PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
        CNB_PLATFORM_API: "0.13",
        CNB_BUILDPACKS_DIR: "/files/buildpacks",
        CNB_EXPERIMENTAL_MODE: "quiet",
        CNB_USER_ID: `${USER}`,
        CNB_GROUP_ID: `${USER}`,
      },
    });
  }
}

async function race(title: string, { files, rounds }: { files: number; rounds: number }): Promise<void> {
  const dir = mkdtempSync(join(work, "scenario-"));
  chmodSync(dir, 0o755);
  const root = join(dir, "image");
  writeRoot(root, files);
  await writeScratchImage(join(dir, "layout"), {
    layers: [root],
    config: {
      User: `${USER}:${USER}`,
      Env: ["PATH=/usr/bin:/bin"],
      Labels: { "io.buildpacks.base.distro.name": "bench", "io.buildpacks.base.distro.version": "1" },
    },
  });
  await copyImage(`oci:${join(dir, "layout")}`, `docker://${registry.host}/base:1`, { to: registry });
  const lifecycles = { ours: await unpackLifecycle(dir), reference: join(dir, "reference") };
  mkdirSync(lifecycles.reference);
  copyFileSync(resolve(reference), join(lifecycles.reference, "lifecycle"));
  chmodSync(join(lifecycles.reference, "lifecycle"), 0o755);
  for (const name of readdirSync(lifecycles.ours)) {
    if (name.startsWith("launcher")) copyFileSync(join(lifecycles.ours, name), join(lifecycles.reference, name));
  }
  for (const name of ["analyzer", "detector", "restorer", "extender", "exporter"]) {
    symlinkSync("lifecycle", join(lifecycles.reference, name));
  }
  const comparison = new Comparison(title);
  for (let round = 0; round < rounds; round++) {
    const contenders = (["ours", "reference"] as const).map((name) => {
      const place = join(dir, `${name}-${round}`);
      mkdirSync(place);
      return { name, builds: new Builds(place, root, lifecycles[name]) };
    });
    if (round % 2 === 1) contenders.reverse();
    for (const build of ["first", "again"]) {
      for (const { name, builds } of contenders) {
        const costs = await builds.phases();
        for (const [phase, each] of costs) comparison.note(`${build}: ${phase}`, name, each);
        comparison.note(`${build}: all`, name, sum([...costs.values()]));
      }
    }
    const place = join(dir, `creator-${round}`);
    mkdirSync(place);
    const builds = new Builds(place, root, lifecycles.ours);
    for (const build of ["first", "again"]) comparison.note(`${build}: creator`, "ours", await builds.creator());
  }
  rmSync(dir, { recursive: true });
  comparison.print();
}

function sum(costs: readonly Costs[]): Costs {
  const of = (key: keyof Costs) => costs.reduce((total, each) => total + each[key], 0);
  return {
    cpu: of("cpu"),
    memory: Math.max(...costs.map(({ memory }) => memory)),
    milliseconds: of("milliseconds"),
    requests: of("requests"),
    transferred: of("transferred"),
  };
}

try {
  for (const [title, scenario] of Object.entries(SCENARIOS)) {
    if (wanted.length === 0 || wanted.includes(title)) await race(title, scenario);
  }
} finally {
  await proxy.stop();
  await registry.stop();
  rmSync(work, { recursive: true, force: true });
}
