import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { resolveKeychain } from "./index.ts";

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "keychain-"));
});
afterEach(() => rm(dir, { recursive: true }));

const encoded = (text: string) => Buffer.from(text).toString("base64");
const basic = (text: string) => ({ kind: "basic", encoded: encoded(text) });

async function writeConfig(content: unknown, path = "config.json"): Promise<void> {
  await mkdir(join(dir, path, ".."), { recursive: true });
  await writeFile(join(dir, path), typeof content === "string" ? content : JSON.stringify(content));
}

async function writeHelper(name: string, script: string): Promise<void> {
  await writeFile(join(dir, `docker-credential-${name}`), `#!/bin/sh\n${script}\n`);
  await chmod(join(dir, `docker-credential-${name}`), 0o755);
}

test("CNB_REGISTRY_AUTH comes before files", async () => {
  await writeConfig({ auths: { "a.io": { auth: encoded("file:pw") }, "b.io": { auth: encoded("file:pw") } } });
  const keychain = await resolveKeychain([], {
    CNB_REGISTRY_AUTH: JSON.stringify({
      "a.io": "Basic YQ==",
      "https://c.io/v2/": "bearer t",
      "https://index.docker.io/v1/": "X-Identity i",
    }),
    DOCKER_CONFIG: dir,
  });
  expect(keychain.resolve("a.io", "x")).toEqual({ kind: "basic", encoded: "YQ==" });
  expect(keychain.resolve("b.io", "x")).toEqual(basic("file:pw"));
  expect(keychain.resolve("c.io", "x")).toEqual({ kind: "bearer", token: "t" });
  expect(keychain.resolve("index.docker.io", "library/x")).toEqual({ kind: "identity", token: "i" });
  expect(keychain.resolve("d.io", "x")).toBeUndefined();
});

test("a header of CNB_REGISTRY_AUTH that is of no known kind is left out", async () => {
  const value = JSON.stringify({ "a.io": "Digest x", "b.io": "Bearer token" });
  const warnings: string[] = [];
  const keychain = await resolveKeychain([], { CNB_REGISTRY_AUTH: value }, (message) => warnings.push(message));
  expect(keychain.resolve("a.io", "app")).toBeUndefined();
  expect(keychain.resolve("b.io", "app")).toEqual({ kind: "bearer", token: "token" });
  expect(warnings).toEqual([expect.stringContaining("a.io: only the headers Basic, Bearer and X-Identity are known")]);
});

test.each(["{", "[]", '{"a.io":1}'])("CNB_REGISTRY_AUTH %s is refused", async (value) => {
  await expect(resolveKeychain([], { CNB_REGISTRY_AUTH: value })).rejects.toThrow(
    "failed to parse CNB_REGISTRY_AUTH value",
  );
});

test("the entry with the longest path counts", async () => {
  await writeConfig({
    auths: {
      "a.io": { auth: encoded("all:pw") },
      "a.io/team": { auth: encoded("team:pw") },
      "a.io/team/app": { auth: encoded("app:pw") },
      "b.io/one": { auth: encoded("one:pw") },
      "b.io/two": { auth: encoded("two:pw") },
      "https://c.io/some/path": { auth: encoded("only:pw") },
    },
  });
  const { resolve } = await resolveKeychain([], { DOCKER_CONFIG: dir });
  expect(resolve("a.io", "other")).toEqual(basic("all:pw"));
  expect(resolve("a.io", "teams")).toEqual(basic("all:pw"));
  expect(resolve("a.io", "team/other")).toEqual(basic("team:pw"));
  expect(resolve("a.io", "team/app")).toEqual(basic("app:pw"));
  expect(resolve("b.io", "two/x")).toEqual(basic("two:pw"));
  expect(resolve("b.io", "three")).toBeUndefined();
  expect(resolve("c.io", "x")).toEqual(basic("only:pw"));
  const forOne = await resolveKeychain(["a.io/team/app"], { DOCKER_CONFIG: dir });
  expect(forOne.resolve("a.io", "other")).toEqual(basic("all:pw"));
});

test("passwords may hold colons, and login programs write identity and registry tokens", async () => {
  await writeConfig({
    auths: {
      "a.io": { auth: encoded("user:p:w") },
      "b.io": { username: "u", password: "p" },
      "c.io": { auth: encoded("00000000-0000-0000-0000-000000000000:"), identitytoken: "id" },
      "d.io": { registrytoken: "reg" },
      "e.io": {},
    },
  });
  const { resolve } = await resolveKeychain([], { DOCKER_CONFIG: dir });
  expect(resolve("a.io", "x")).toEqual(basic("user:p:w"));
  expect(resolve("b.io", "x")).toEqual(basic("u:p"));
  expect(resolve("c.io", "x")).toEqual({ kind: "identity", token: "id" });
  expect(resolve("d.io", "x")).toEqual({ kind: "bearer", token: "reg" });
  expect(resolve("e.io", "x")).toBeUndefined();
});

test("credential helpers are asked for the images' registries, once, before", async () => {
  await writeConfig({
    credHelpers: { "a.io": "mine" },
    credsStore: "all",
    auths: { "c.io": { auth: encoded("file:pw") } },
  });
  await writeHelper(
    "mine",
    `echo asked >>${dir}/asked; read -r server; printf '{"ServerURL":"%s","Username":"u","Secret":"for %s"}' "$server" "$server"`,
  );
  await writeHelper(
    "all",
    `case $(cat) in
      https://index.docker.io/v1/) echo '{"Username":"<token>","Secret":"hub"}';;
      *) echo credentials not found in native keychain; exit 1;;
    esac`,
  );
  const env = { DOCKER_CONFIG: dir, PATH: `${dir}:${process.env.PATH}` };
  const keychain = await resolveKeychain(["a.io/app", "a.io/run", "busybox", "c.io/app", "Not a reference"], env);
  await rm(join(dir, "docker-credential-mine"));
  expect(await readFile(join(dir, "asked"), "utf8")).toBe("asked\n");
  expect(keychain.resolve("a.io", "app")).toEqual(basic("u:for a.io"));
  expect(keychain.resolve("index.docker.io", "library/busybox")).toEqual({ kind: "identity", token: "hub" });
  expect(keychain.resolve("c.io", "app")).toEqual(basic("file:pw"));
});

test("a helper that cannot be run is a warning", async () => {
  await writeConfig({ credsStore: "gone", auths: { "a.io": { auth: encoded("file:pw") } } });
  const warnings: string[] = [];
  const env = { DOCKER_CONFIG: dir, PATH: dir };
  const keychain = await resolveKeychain(["a.io/app"], env, (message) => warnings.push(message));
  expect(warnings).toEqual(["docker-credential-gone cannot be run: there is no such program in PATH"]);
  expect(keychain.resolve("a.io", "app")).toEqual(basic("file:pw"));
});

test("a helper that cannot be run keeps no other from being asked", async () => {
  await writeConfig({ credHelpers: { "a.io": "gone", "b.io": "works" } });
  await writeHelper("works", `echo '{"Username":"u","Secret":"p"}'`);
  const env = { DOCKER_CONFIG: dir, PATH: `${dir}:${process.env.PATH}` };
  const keychain = await resolveKeychain(["a.io/app", "b.io/app"], env);
  expect(keychain.resolve("a.io", "app")).toBeUndefined();
  expect(keychain.resolve("b.io", "app")).toEqual(basic("u:p"));
});

test("a broken file is a warning that shows no credentials", async () => {
  await writeConfig(`{"auths":{"a.io":{"auth":"${encoded("secret")}"}}}`);
  const warnings: string[] = [];
  await resolveKeychain(["a.io/app"], { DOCKER_CONFIG: dir }, (message) => warnings.push(message));
  expect(warnings).toEqual([`${dir}/config.json: auths: a.io: auth is not the base64 of name:password`]);
});

test("Docker's file comes before Podman's", async () => {
  const auths = (user: string) => ({ auths: { "a.io": { auth: encoded(`${user}:pw`) } } });
  const env = { HOME: dir, XDG_RUNTIME_DIR: join(dir, "run"), REGISTRY_AUTH_FILE: join(dir, "auth") };
  const user = async () => (await resolveKeychain([], env)).resolve("a.io", "x");
  expect(await user()).toBeUndefined();
  await writeConfig(auths("config"), ".config/containers/auth.json");
  expect(await user()).toEqual(basic("config:pw"));
  await writeConfig(auths("runtime"), "run/containers/auth.json");
  expect(await user()).toEqual(basic("runtime:pw"));
  await writeConfig(auths("variable"), "auth");
  expect(await user()).toEqual(basic("variable:pw"));
  await writeConfig(auths("docker"), ".docker/config.json");
  expect(await user()).toEqual(basic("docker:pw"));
});
