import { symlinkSync } from "node:fs";
import { join } from "node:path";
import type { PrepareOptions } from "./options.ts";
import type { Workspace } from "./test-workspace.ts";

/** A case of the matrix in docs/preparer.md. */
export interface Case {
  readonly id: string;
  /** What is given, and what follows, as the matrix has it. */
  readonly given: string;
  readonly result: string;
  /** project.toml; none if absent. `@URL@` is the address of a server with archives, `@DIR@` the workspace. */
  readonly toml?: string;
  /** Files of the application, by path. */
  readonly files?: readonly string[];
  readonly setUp?: (workspace: Workspace) => void;
  readonly options?: (workspace: Workspace) => Partial<PrepareOptions>;
  readonly expect: {
    /** `null`: no order is written. */
    readonly order?: string | null;
    readonly files?: readonly string[];
    readonly env?: Readonly<Record<string, string | null>>;
    /** A line of the log, or part of one. */
    readonly log?: string;
    /** Exit code and part of the message. */
    readonly error?: readonly [exitCode: number, message: string];
    /** Part of a file that is written, or `null` if it must not be there. */
    readonly file?: readonly [path: string, content: string | null];
  };
}

const v2 = '[_]\nschema-version = "0.2"\n';
const v3 = '[_]\nschema-version = "0.3"\n';
const group = (...entries: string[]) => entries.map((each) => `[[io.buildpacks.group]]\n${each}\n`).join("");
const pre = (...entries: string[]) => entries.map((each) => `[[io.buildpacks.pre.group]]\n${each}\n`).join("");
const post = (...entries: string[]) => entries.map((each) => `[[io.buildpacks.post.group]]\n${each}\n`).join("");
const env = (name: string, value: string, more = "") =>
  `[[io.buildpacks.build.env]]\nname = "${name}"\nvalue = "${value}"\n${more}\n`;
const script = (id: string, inline: string, more = "") =>
  `id = "${id}"\n[io.buildpacks.group.script]\napi = "0.10"\ninline = '''${inline}'''\n${more}`;
const uri = (text: string) => `uri = "${text}"`;

const someFiles = ["src/main.js", "src/main.test.js", "README.md", "docs/a.md", "docs/b/README.md"];
const exclude = (...patterns: string[]) => `${v2}[io.buildpacks]\nexclude = ${JSON.stringify(patterns)}\n`;
const include = (...patterns: string[]) => `${v2}[io.buildpacks]\ninclude = ${JSON.stringify(patterns)}\n`;

const other = (workspace: Workspace, path: string, name = "x/y@1.2.3", descriptor = "") =>
  void workspace.writeBuildpack(join(workspace.dir, path), name, descriptor);

const builderOrder = "g/a@1.0.0 g/b@1.0.0? | g/c@1.0.0";

export const CASES: readonly Case[] = [
  // schemas
  {
    id: "S01",
    given: "no project.toml",
    result: "nothing is changed",
    expect: { order: null, log: "No project descriptor" },
  },
  {
    id: "S02",
    given: "an empty project.toml",
    result: "0.1 is assumed, with a warning",
    toml: "",
    expect: { order: null, log: "WARN: No schema version declared" },
  },
  {
    id: "S03",
    given: "0.1: `[[build.buildpacks]]` with id",
    result: "that buildpack of the builder is the order",
    toml: '[[build.buildpacks]]\nid = "g/c"\n',
    expect: { order: "g/c@1.0.0" },
  },
  {
    id: "S04",
    given: "0.1: id and version",
    result: "that version",
    toml: '[[build.buildpacks]]\nid = "g/multi"\nversion = "2.0.0"\n',
    expect: { order: "g/multi@2.0.0" },
  },
  {
    id: "S05",
    given: "0.1: uri, a relative path",
    result: "the buildpack in that directory",
    toml: '[[build.buildpacks]]\nuri = "bp"\n',
    setUp: (w) => other(w, "app/bp"),
    expect: { order: "x/y@1.2.3" },
  },
  {
    id: "S06",
    given: "0.1: script",
    result: "an inline buildpack, version 0.0.0",
    toml: '[[build.buildpacks]]\nid = "me/x"\n[build.buildpacks.script]\napi = "0.10"\ninline = "true"\n',
    expect: { order: "me/x@0.0.0" },
  },
  {
    id: "S07",
    given: "0.1: `[[build.env]]`",
    result: "`<platform>/env/<NAME>`",
    toml: '[[build.env]]\nname = "A"\nvalue = "b"\n',
    expect: { order: null, env: { A: "b" } },
  },
  {
    id: "S08",
    given: "0.1: exclude",
    result: "matching files are gone",
    toml: '[build]\nexclude = ["*.md"]\n',
    files: ["a.md", "b.js"],
    expect: { files: ["b.js"] },
  },
  {
    id: "S09",
    given: "0.1: include",
    result: "other files are gone",
    toml: '[build]\ninclude = ["*.md"]\n',
    files: ["a.md", "b.js"],
    expect: { files: ["a.md"] },
  },
  {
    id: "S10",
    given: "0.1: builder",
    result: "noted in prepared.toml",
    toml: '[build]\nbuilder = "some/builder"\n',
    expect: { file: ["layers/prepared.toml", 'builder = "some/builder"'] },
  },
  {
    id: "S11",
    given: "0.1: version and source-url",
    result: "project-metadata.toml has both",
    toml: '[project]\nversion = "7"\nsource-url = "https://x"\n',
    expect: { file: ["layers/project-metadata.toml", 'declared = "7"'] },
  },
  {
    id: "S12",
    given: "0.1: `[metadata]`, any keys",
    result: "no warning for them",
    toml: '[metadata]\nfoo = 1\n[metadata.bar]\nbaz = "x"\n',
    expect: { order: null },
  },
  {
    id: "S13",
    given: "0.1: an unknown key in `[project]`",
    result: "a warning names it",
    toml: '[project]\ncolour = "red"\n',
    expect: { log: "WARN: - project.colour" },
  },
  {
    id: "S14",
    given: "0.1 (no version): `[io.buildpacks]`",
    result: "a warning, no effect",
    toml: '[[io.buildpacks.group]]\nid = "g/c"\n',
    expect: { order: null, log: "WARN: - io.buildpacks" },
  },
  {
    id: "S15",
    given: "0.2: an unknown key in `[io.buildpacks]`",
    result: "a warning names it",
    toml: `${v2}[io.buildpacks]\nsize = 3\n`,
    expect: { log: "WARN: - io.buildpacks.size" },
  },
  {
    id: "S16",
    given: "0.2: `[_.metadata]` and tables of other domains",
    result: "no warning",
    toml: `${v2}[_.metadata]\na = 1\n[com.example]\nb = 2\n[io.example]\nc = 3\n`,
    expect: { order: null },
  },
  {
    id: "S17",
    given: "0.2: id, version, source-url",
    result: "project-metadata.toml has the id",
    toml: `${v2}id = "my.app"\nversion = "1"\nsource-url = "https://x"\n`,
    expect: { file: ["layers/project-metadata.toml", 'id = "my.app"'] },
  },
  {
    id: "S18",
    given: "0.2: `io.buildpacks.schema-version`",
    result: "no warning",
    toml: `${v2}[io.buildpacks]\nschema-version = "0.2"\n`,
    expect: { order: null },
  },
  {
    id: "S19",
    given: "0.2: exec-env, which came with 0.3",
    result: "a warning, no effect",
    toml: v2 + group('id = "g/c"\nexec-env = ["test"]'),
    expect: { order: "g/c@1.0.0", log: "WARN: - io.buildpacks.group.exec-env" },
  },
  {
    id: "S20",
    given: "0.2: `[[io.buildpacks.env.build]]`, as older files have it",
    result: "the same as build.env",
    toml: `${v2}[[io.buildpacks.env.build]]\nname = "A"\nvalue = "b"\n`,
    expect: { env: { A: "b" } },
  },
  {
    id: "S21",
    given: "schema version 0.4",
    result: "111",
    toml: '[_]\nschema-version = "0.4"\n',
    expect: { error: [111, "unknown schema version"] },
  },
  {
    id: "S22",
    given: "schema version as a number",
    result: "111",
    toml: "[_]\nschema-version = 0.2\n",
    expect: { error: [111, "expected a string"] },
  },
  {
    id: "S23",
    given: "a line that is no TOML",
    result: "111, with line and column",
    toml: `${v2}[io.buildpacks\n`,
    expect: { error: [111, "project.toml:3:"] },
  },
  {
    id: "S24",
    given: "a license without type and uri",
    result: "111",
    toml: `${v2}[[_.licenses]]\n`,
    expect: { error: [111, "a license needs"] },
  },
  {
    id: "S25",
    given: "a named descriptor that is not there",
    result: "111",
    options: (w) => ({ projectDescriptorPath: join(w.dir, "no.toml") }),
    expect: { error: [111, "is not there"] },
  },
  {
    id: "S26",
    given: "a named descriptor",
    result: "it is used, its paths relative to it",
    setUp: (w) => {
      other(w, "conf/bp");
      w.write("conf/p.toml", v2 + group(uri("bp")));
    },
    options: (w) => ({ projectDescriptorPath: join(w.dir, "conf/p.toml") }),
    expect: { order: "x/y@1.2.3" },
  },
  {
    id: "S27",
    given: "project.toml, a link out of the application",
    result: "111",
    setUp: (w) => {
      symlinkSync(w.write("secret.toml", v2), join(w.app, "project.toml"));
    },
    expect: { error: [111, "is a link out of"] },
  },

  // the order
  {
    id: "O01",
    given: "group: `from=builder`",
    result: "the builder's order",
    toml: v2 + group(uri("from=builder")),
    expect: { order: builderOrder },
  },
  {
    id: "O02",
    given: "group: X, `from=builder`",
    result: "X before each group",
    toml: v2 + group('id = "g/c"', uri("from=builder")),
    expect: { order: "g/c@1.0.0 g/a@1.0.0 g/b@1.0.0? | g/c@1.0.0 g/c@1.0.0" },
  },
  {
    id: "O03",
    given: "group: `from=builder`, X",
    result: "X after each group",
    toml: v2 + group(uri("from=builder"), 'id = "g/c"'),
    expect: { order: "g/a@1.0.0 g/b@1.0.0? g/c@1.0.0 | g/c@1.0.0 g/c@1.0.0" },
  },
  {
    id: "O04",
    given: "group: X, `urn:cnb:builder`, Y",
    result: "around each group",
    toml: v2 + group('id = "g/b"', uri("urn:cnb:builder"), 'id = "g/a"'),
    expect: { order: "g/b@1.0.0 g/a@1.0.0 g/b@1.0.0? g/a@1.0.0 | g/b@1.0.0 g/c@1.0.0 g/a@1.0.0" },
  },
  {
    id: "O05",
    given: "`from=builder` twice",
    result: "111",
    toml: v2 + group(uri("from=builder"), uri("from=builder")),
    expect: { error: [111, "can only be defined once"] },
  },
  {
    id: "O06",
    given: "group of two",
    result: "one group, in that order",
    toml: v2 + group('id = "g/c"', 'id = "g/a"'),
    expect: { order: "g/c@1.0.0 g/a@1.0.0" },
  },
  {
    id: "O07",
    given: "pre",
    result: "before each group of the builder's",
    toml: v2 + pre('id = "g/c"'),
    expect: { order: "g/c@1.0.0 g/a@1.0.0 g/b@1.0.0? | g/c@1.0.0 g/c@1.0.0" },
  },
  {
    id: "O08",
    given: "post",
    result: "after each group",
    toml: v2 + post('id = "g/c"'),
    expect: { order: "g/a@1.0.0 g/b@1.0.0? g/c@1.0.0 | g/c@1.0.0 g/c@1.0.0" },
  },
  {
    id: "O09",
    given: "pre of two, post of two",
    result: "in the order written",
    toml: v2 + pre('id = "g/c"', 'id = "g/b"') + post('id = "g/a"', 'id = "g/c"'),
    expect: {
      order:
        "g/c@1.0.0 g/b@1.0.0 g/a@1.0.0 g/b@1.0.0? g/a@1.0.0 g/c@1.0.0 | g/c@1.0.0 g/b@1.0.0 g/c@1.0.0 g/a@1.0.0 g/c@1.0.0",
    },
  },
  {
    id: "O10",
    given: "pre beside group",
    result: "pre has no effect, with a warning",
    toml: v2 + group('id = "g/a"') + pre('id = "g/c"'),
    expect: { order: "g/a@1.0.0", log: "WARN: pre and post are for the builder's order" },
  },
  {
    id: "O11",
    given: "`from=builder` in pre",
    result: "111",
    toml: v2 + pre(uri("from=builder")),
    expect: { error: [111, "io.buildpacks.pre.group[0]"] },
  },
  {
    id: "O12",
    given: "0.3: exec-env with the build's",
    result: "in the order",
    toml: v3 + group('id = "g/a"\nexec-env = ["production", "test"]'),
    expect: { order: "g/a@1.0.0" },
  },
  {
    id: "O13",
    given: "0.3: exec-env of another",
    result: "left out",
    toml: v3 + group('id = "g/a"', 'id = "g/c"\nexec-env = ["test"]'),
    expect: { order: "g/a@1.0.0", log: "is not for the execution environment" },
  },
  {
    id: "O14",
    given: '0.3: exec-env = ["*"]',
    result: "in the order",
    toml: v3 + group('id = "g/a"\nexec-env = ["*"]'),
    expect: { order: "g/a@1.0.0" },
  },
  {
    id: "O15",
    given: "0.3: CNB_EXEC_ENV=test",
    result: "what is for test",
    toml: v3 + group('id = "g/a"\nexec-env = ["production"]', 'id = "g/c"\nexec-env = ["test"]'),
    options: () => ({ execEnv: "test" }),
    expect: { order: "g/c@1.0.0" },
  },
  {
    id: "O16",
    given: "0.3: all of group for another environment",
    result: "the builder's order stays",
    toml: v3 + group('id = "g/a"\nexec-env = ["test"]'),
    expect: { order: null },
  },
  {
    id: "O17",
    given: "0.3: pre and post with exec-env",
    result: "only what is for the build's",
    toml: v3 + pre('id = "g/c"\nexec-env = ["test"]') + post('id = "g/c"\nexec-env = ["production"]'),
    expect: { order: "g/a@1.0.0 g/b@1.0.0? g/c@1.0.0 | g/c@1.0.0 g/c@1.0.0" },
  },
  {
    id: "O18",
    given: "a builder with order-extensions",
    result: "they stay",
    toml: v2 + group('id = "g/a"'),
    setUp: (w) => {
      w.write("builder/order.toml", '[[order-extensions]]\n[[order-extensions.group]]\nid = "ext"\nversion = "1"\n');
    },
    expect: { order: "g/a@1.0.0", file: ["layers/order.toml", 'id = "ext"'] },
  },
  {
    id: "O19",
    given: "-skip-buildpacks",
    result: "the builder's order stays",
    toml: v2 + group('id = "g/a"'),
    options: () => ({ skipBuildpacks: true }),
    expect: { order: null, log: "not applied, as the platform asks" },
  },

  // buildpacks and where they come from
  {
    id: "B01",
    given: "`urn:cnb:builder:<id>`",
    result: "the builder's",
    toml: v2 + group(uri("urn:cnb:builder:g/c")),
    expect: { order: "g/c@1.0.0" },
  },
  {
    id: "B02",
    given: "`from=builder:<id>@<version>`",
    result: "the builder's of that version",
    toml: v2 + group(uri("from=builder:g/multi@1.0.0")),
    expect: { order: "g/multi@1.0.0" },
  },
  {
    id: "B03",
    given: "`urn:cnb:builder:<id>` that it does not have",
    result: "112",
    toml: v2 + group(uri("urn:cnb:builder:g/none")),
    expect: { error: [112, "the builder has no buildpack 'g/none'"] },
  },
  {
    id: "B04",
    given: "id of which the builder has two versions",
    result: "112, naming them",
    toml: v2 + group('id = "g/multi"'),
    expect: { error: [112, "1.0.0, 2.0.0"] },
  },
  {
    id: "B05",
    given: 'version = "latest"',
    result: "as without version",
    toml: v2 + group('id = "g/c"\nversion = "latest"'),
    expect: { order: "g/c@1.0.0" },
  },
  {
    id: "B06",
    given: "uri without scheme that the builder has",
    result: "the builder's",
    toml: v2 + group(uri("g/c@1.0.0")),
    expect: { order: "g/c@1.0.0" },
  },
  {
    id: "B07",
    given: "a path that exists, also an ID of the builder's",
    result: "the path",
    toml: v2 + group(uri("g/c")),
    setUp: (w) => other(w, "app/g/c"),
    expect: { order: "x/y@1.2.3" },
  },
  {
    id: "B08",
    given: "a relative path out of the application",
    result: "112",
    toml: v2 + group(uri("../bp")),
    setUp: (w) => other(w, "bp"),
    expect: { error: [112, "leads out of the directory"] },
  },
  {
    id: "B09",
    given: "a link in the application to a buildpack outside",
    result: "112",
    toml: v2 + group(uri("bp")),
    setUp: (w) => {
      other(w, "bp");
      symlinkSync("../bp", join(w.app, "bp"));
    },
    expect: { error: [112, "leads out of the directory"] },
  },
  {
    id: "B10",
    given: "an absolute path",
    result: "the buildpack there",
    toml: v2 + group(uri("@DIR@/bp")),
    setUp: (w) => other(w, "bp"),
    expect: { order: "x/y@1.2.3" },
  },
  {
    id: "B11",
    given: "`file:///` of a .tgz",
    result: "the buildpack in it",
    toml: v2 + group(uri("file://@DIR@/bp.tgz")),
    setUp: (w) => {
      w.archiveBuildpack("bp.tgz", "x/y@1.2.3");
    },
    expect: { order: "x/y@1.2.3" },
  },
  {
    id: "B12",
    given: "a path of a .tar",
    result: "the buildpack in it",
    toml: v2 + group(uri("bp.tar")),
    setUp: (w) => {
      w.archiveBuildpack("app/bp.tar", "x/y@1.2.3");
    },
    expect: { order: "x/y@1.2.3" },
  },
  {
    id: "B13",
    given: "a path of a .zip",
    result: "the buildpack in it",
    toml: v2 + group(uri("bp.zip")),
    setUp: (w) => {
      w.archiveBuildpack("app/bp.zip", "x/y@1.2.3");
    },
    expect: { order: "x/y@1.2.3" },
  },
  {
    id: "B14",
    given: "an http URL",
    result: "the buildpack in that archive",
    toml: v2 + group(uri("@URL@/bp.tgz")),
    expect: { order: "x/y@1.2.3" },
  },
  {
    id: "B15",
    given: "an http URL with the right `#sha256=`",
    result: "the same",
    toml: v2 + group(uri("@URL@/bp.tgz#sha256=@SHA@")),
    expect: { order: "x/y@1.2.3" },
  },
  {
    id: "B16",
    given: "an http URL with another digest",
    result: "113",
    toml: v2 + group(uri(`@URL@/bp.tgz#sha256=${"0".repeat(64)}`)),
    expect: { error: [113, "expected digest sha256:0000"] },
  },
  {
    id: "B17",
    given: "an http URL that is not there",
    result: "112",
    toml: v2 + group(uri("@URL@/none.tgz")),
    expect: { error: [112, "404"] },
  },
  {
    id: "B18",
    given: "a scheme that is not known",
    result: "112",
    toml: v2 + group(uri("ftp://x/bp.tgz")),
    expect: { error: [112, '"ftp:" is not supported'] },
  },
  {
    id: "B19",
    given: "a malformed `#sha256=`",
    result: "112",
    toml: v2 + group(uri("@URL@/bp.tgz#sha256=abc")),
    expect: { error: [112, "64 hexadecimal digits"] },
  },
  {
    id: "B20",
    given: "a directory without buildpack.toml",
    result: "113",
    toml: v2 + group(uri("src")),
    files: ["src/main.js"],
    expect: { error: [113, "no buildpack.toml"] },
  },
  {
    id: "B21",
    given: "id beside uri, and the archive holds another",
    result: "113",
    toml: v2 + group(`id = "g/other"\n${uri("bp")}`),
    setUp: (w) => other(w, "app/bp"),
    expect: { error: [113, "asks for 'g/other'"] },
  },
  {
    id: "B22",
    given: "text that can be nothing",
    result: "112",
    toml: v2 + group(uri("No Such Thing")),
    expect: { error: [112, "is not a path"] },
  },
  {
    id: "B35",
    given: "a path that begins with ./ and leads to nothing",
    result: "112",
    toml: v2 + group(uri("./bp")),
    expect: { error: [112, 'there is no file or directory "./bp"'] },
  },
  {
    id: "B23",
    given: "an ID that the registry's index does not have",
    result: "112",
    toml: v2 + group('id = "no/such"'),
    expect: { error: [112, "has no buildpack 'no/such'"] },
  },
  {
    id: "B24",
    given: "version beside uri",
    result: "111",
    toml: v2 + group(`version = "1"\n${uri("bp")}`),
    expect: { error: [111, "cannot have both version and uri"] },
  },
  {
    id: "B25",
    given: "version beside script",
    result: "111",
    toml: v2 + group(`version = "1"\n${script("me/x", "true")}`),
    expect: { error: [111, "cannot have both version and script"] },
  },
  {
    id: "B26",
    given: "uri beside script",
    result: "111",
    toml: v2 + group(`${uri("bp")}\n${script("me/x", "true")}`),
    expect: { error: [111, "cannot have both uri and script"] },
  },
  {
    id: "B27",
    given: "neither id nor uri",
    result: "111",
    toml: v2 + group(""),
    expect: { error: [111, "needs an id or a uri"] },
  },
  {
    id: "B28",
    given: "a composite buildpack whose parts are not there",
    result: "112",
    toml: v2 + group(uri("bp")),
    setUp: (w) => other(w, "app/bp", "x/y@1.2.3", '[[order]]\n[[order.group]]\nid = "x/part"\nversion = "1"\n'),
    expect: { error: [112, "needs 'x/part@1'"] },
  },
  {
    id: "B29",
    given: "a composite buildpack of the builder's parts",
    result: "in the order",
    toml: v2 + group(uri("bp")),
    setUp: (w) => other(w, "app/bp", "x/y@1.2.3", '[[order]]\n[[order.group]]\nid = "g/a"\nversion = "1.0.0"\n'),
    expect: { order: "x/y@1.2.3" },
  },
  {
    id: "B33",
    given: "a composite buildpack's directory with package.toml",
    result: "what that names comes along",
    toml: v2 + group(uri("bp")),
    setUp: (w) => {
      other(w, "app/bp", "x/y@1.2.3", '[[order]]\n[[order.group]]\nid = "x/part"\nversion = "1"\n');
      other(w, "app/part", "x/part@1");
      w.write("app/bp/package.toml", '[buildpack]\nuri = "."\n[[dependencies]]\nuri = "../part"\n');
    },
    expect: { order: "x/y@1.2.3", file: ["layers/prepared/buildpacks/x_part/1/bin/build", "#!/bin/sh"] },
  },
  {
    id: "B34",
    given: "package.toml files that name each other",
    result: "112",
    toml: v2 + group(uri("bp")),
    setUp: (w) => {
      other(w, "app/bp");
      w.write("app/bp/package.toml", '[[dependencies]]\nuri = "../bp"\n');
    },
    expect: { error: [112, "name each other 10 deep"] },
  },
  {
    id: "B30",
    given: "a buildpack for another system",
    result: "115, saying which",
    toml: v2 + group(uri("bp")),
    setUp: (w) => other(w, "app/bp", "x/y@1.2.3", '[[targets]]\nos = "plan9"\n'),
    expect: { error: [115, 'is for [{"os":"plan9"'] },
  },
  {
    id: "B31",
    given: "a buildpack of a Buildpack API that is not supported",
    result: "12",
    toml: v2 + group(uri("bp")),
    setUp: (w) => void w.writeBuildpack(join(w.app, "bp"), "x/y@1.2.3", "", "0.99"),
    expect: { error: [12, "0.99"] },
  },
  {
    id: "B32",
    given: "a file that is no archive",
    result: "114",
    toml: v2 + group(uri("a.txt")),
    files: ["a.txt"],
    expect: { error: [114, "buildpack a.txt"] },
  },

  // inline buildpacks
  {
    id: "I01",
    given: "script",
    result: "bin/build is the script, for /bin/sh",
    toml: v2 + group(script("me/x", "echo hello")),
    expect: {
      order: "me/x@0.0.0",
      file: ["layers/prepared/buildpacks/me_x/0.0.0/bin/build", "#!/bin/sh\n\necho hello\n"],
    },
  },
  {
    id: "I02",
    given: "script with shell",
    result: "for that shell",
    toml: v2 + group(script("me/x", "echo hello", 'shell = "/bin/bash"')),
    expect: { file: ["layers/prepared/buildpacks/me_x/0.0.0/bin/build", "#!/bin/bash\n\necho hello\n"] },
  },
  {
    id: "I03",
    given: "inline = ./<file> of the application",
    result: "bin/build is what the file holds",
    toml: v2 + group(script("me/x", "./build.sh")),
    setUp: (w) => void w.write("app/build.sh", "echo from file\n"),
    expect: { file: ["layers/prepared/buildpacks/me_x/0.0.0/bin/build", "echo from file"] },
  },
  {
    id: "I04",
    given: "the same, and exclude has the file",
    result: "bin/build still has it",
    toml: `${v2}[io.buildpacks]\nexclude = ["build.sh"]\n${group(script("me/x", "./build.sh"))}`,
    setUp: (w) => void w.write("app/build.sh", "#!/usr/bin/python3\nprint(1)\n"),
    expect: { files: [], file: ["layers/prepared/buildpacks/me_x/0.0.0/bin/build", "#!/usr/bin/python3\nprint(1)\n"] },
  },
  {
    id: "I05",
    given: "script without api",
    result: "111",
    toml: `${v2}${group('id = "me/x"')}[io.buildpacks.group.script]\ninline = "x"\n`,
    expect: { error: [111, "a script needs an api"] },
  },
  {
    id: "I06",
    given: "script without inline",
    result: "111",
    toml: `${v2}${group('id = "me/x"')}[io.buildpacks.group.script]\napi = "0.10"\n`,
    expect: { error: [111, "a script needs inline"] },
  },
  {
    id: "I07",
    given: "shell that is no absolute path",
    result: "111",
    toml: v2 + group(script("me/x", "true", 'shell = "bash"')),
    expect: { error: [111, "shell must be an absolute path"] },
  },
  {
    id: "I08",
    given: "script with an ID that cannot be one",
    result: "111",
    toml: v2 + group(script("../x", "true")),
    expect: { error: [111, "cannot be a buildpack's ID"] },
  },
  {
    id: "I09",
    given: "two scripts of one ID",
    result: "111",
    toml: v2 + group(script("me/x", "true"), script("me/x", "false")),
    expect: { error: [111, "another script has the id"] },
  },
  {
    id: "I10",
    given: "script of a Buildpack API that is not supported",
    result: "12",
    toml: v2 + group('id = "me/x"\n[io.buildpacks.group.script]\napi = "0.2"\ninline = "x"'),
    expect: { error: [12, "0.2"] },
  },
  {
    id: "I11",
    given: "script in pre",
    result: "an inline buildpack before each group",
    toml: v2 + pre('id = "me/x"\n[io.buildpacks.pre.group.script]\napi = "0.10"\ninline = "x"'),
    expect: { order: "me/x@0.0.0 g/a@1.0.0 g/b@1.0.0? | me/x@0.0.0 g/c@1.0.0" },
  },

  // files
  {
    id: "F01",
    given: "exclude `*.md`",
    result: "at every depth",
    toml: exclude("*.md"),
    files: someFiles,
    expect: { files: ["docs/b/", "src/main.js", "src/main.test.js"] },
  },
  {
    id: "F02",
    given: "exclude `docs/`",
    result: "the directory and all in it",
    toml: exclude("docs/"),
    files: someFiles,
    expect: { files: ["README.md", "src/main.js", "src/main.test.js"] },
  },
  {
    id: "F03",
    given: "exclude `/README.md`",
    result: "only the one at the top",
    toml: exclude("/README.md"),
    files: someFiles,
    expect: { files: ["docs/a.md", "docs/b/README.md", "src/main.js", "src/main.test.js"] },
  },
  {
    id: "F04",
    given: "exclude `*.md`, `!README.md`",
    result: "the last that matches decides",
    toml: exclude("*.md", "!README.md"),
    files: someFiles,
    expect: { files: ["README.md", "docs/b/README.md", "src/main.js", "src/main.test.js"] },
  },
  {
    id: "F05",
    given: "exclude `docs/`, `!docs/b/`",
    result: "what is brought back stays",
    toml: exclude("docs/", "!docs/b/"),
    files: someFiles,
    expect: { files: ["README.md", "docs/b/README.md", "src/main.js", "src/main.test.js"] },
  },
  {
    id: "F06",
    given: "exclude `src/**/*.test.js`",
    result: "at every depth below src",
    toml: exclude("src/**/*.test.js"),
    files: [...someFiles, "src/a/b.test.js"],
    expect: { files: ["README.md", "docs/a.md", "docs/b/README.md", "src/a/", "src/main.js"] },
  },
  {
    id: "F07",
    given: "exclude with a comment and an empty pattern",
    result: "they match nothing",
    toml: exclude("# *.js", "", "docs"),
    files: someFiles,
    expect: { files: ["README.md", "src/main.js", "src/main.test.js"] },
  },
  {
    id: "F08",
    given: "exclude `readme.md`",
    result: "case counts",
    toml: exclude("readme.md"),
    files: ["README.md"],
    expect: { files: ["README.md"] },
  },
  {
    id: "F09",
    given: "include `src/`, `*.md`",
    result: "these and no others",
    toml: include("src/", "/*.md"),
    files: [...someFiles, "lib/x"],
    expect: { files: ["README.md", "src/main.js", "src/main.test.js"] },
  },
  {
    id: "F10",
    given: "include `src/`, `!*.test.js`",
    result: "the last that matches decides",
    toml: include("src/", "!*.test.js"),
    files: someFiles,
    expect: { files: ["src/main.js"] },
  },
  {
    id: "F11",
    given: "include `docs/b/*.md`",
    result: "with the directories above",
    toml: include("docs/b/*.md"),
    files: someFiles,
    expect: { files: ["docs/b/README.md"] },
  },
  {
    id: "F12",
    given: "exclude a link to a directory outside",
    result: "the link goes, the directory stays",
    toml: exclude("link"),
    setUp: (w) => {
      w.write("outside/kept", "");
      symlinkSync("../outside", join(w.app, "link"));
    },
    expect: { files: [], file: ["outside/kept", ""] },
  },
  {
    id: "F13",
    given: "exclude `secret` behind a link out of the application",
    result: "what is behind the link stays",
    toml: exclude("secret"),
    setUp: (w) => {
      w.write("outside/secret", "s");
      symlinkSync("../outside", join(w.app, "link"));
    },
    expect: { files: ["link"], file: ["outside/secret", "s"] },
  },
  {
    id: "F14",
    given: "empty lists",
    result: "nothing goes",
    toml: exclude(),
    files: someFiles,
    expect: { files: [...someFiles].sort() },
  },
  {
    id: "F15",
    given: "include and exclude",
    result: "111",
    toml: `${v2}[io.buildpacks]\ninclude = ["a"]\nexclude = ["b"]\n`,
    expect: { error: [111, "cannot have both include and exclude"] },
  },
  {
    id: "F16",
    given: "-skip-files",
    result: "nothing goes",
    toml: exclude("*.md"),
    files: ["a.md"],
    options: () => ({ skipFiles: true }),
    expect: { files: ["a.md"] },
  },
  {
    id: "F17",
    given: "-app-out",
    result: "the copy is filtered, the application stays",
    toml: exclude("*.md"),
    files: ["a.md", "b"],
    options: (w) => ({ appOutDir: join(w.dir, "out") }),
    expect: { files: ["a.md", "b"], file: ["out/a.md", null] },
  },

  // environment, configuration, metadata
  {
    id: "E01",
    given: "build.env",
    result: "`<platform>/env/<NAME>` holds the value",
    toml: v2 + env("A", "b c"),
    expect: { env: { A: "b c" } },
  },
  {
    id: "E02",
    given: "a name that the platform sets",
    result: "the platform's stays",
    toml: v2 + env("A", "b"),
    setUp: (w) => void w.write("platform/env/A", "platform"),
    expect: { env: { A: "platform" }, log: "as the platform sets it" },
  },
  {
    id: "E03",
    given: "a name twice",
    result: "the last value",
    toml: v2 + env("A", "1") + env("A", "2"),
    expect: { env: { A: "2" } },
  },
  {
    id: "E04",
    given: "0.3: exec-env",
    result: "only what is for the build's",
    toml:
      v3 +
      env("A", "p", 'exec-env = ["production"]') +
      env("A", "t", 'exec-env = ["test"]') +
      env("B", "t", 'exec-env = ["test"]'),
    expect: { env: { A: "p", B: null } },
  },
  {
    id: "E05",
    given: "a name with a slash",
    result: "111",
    toml: v2 + env("../A", "b"),
    expect: { error: [111, "cannot be the name of a variable"] },
  },
  {
    id: "E06",
    given: "-skip-env",
    result: "no file",
    toml: v2 + env("A", "b"),
    options: () => ({ skipEnv: true }),
    expect: { env: { A: null } },
  },
  {
    id: "E07",
    given: "`[io.buildpacks.lifecycle]` run-image",
    result: "`<layers>/run.toml`",
    toml: `${v2}[io.buildpacks.lifecycle]\nrun-image = "my/run"\n`,
    expect: { file: ["layers/run.toml", 'image = "my/run"'] },
  },
  {
    id: "E08",
    given: "the same before Platform API 0.12",
    result: "`<layers>/stack.toml`",
    toml: `${v2}[io.buildpacks.lifecycle]\nrun-image = "my/run"\n`,
    options: (w) => ({ platformApi: w.older }),
    expect: { file: ["layers/stack.toml", 'image = "my/run"'] },
  },
  {
    id: "E09",
    given: "the same, and the platform sets another",
    result: "the platform's",
    toml: `${v2}[io.buildpacks.lifecycle]\nrun-image = "my/run"\n`,
    options: () => ({ runImage: "platform/run" }),
    expect: { file: ["layers/run.toml", null], log: "is not used" },
  },
  {
    id: "E10",
    given: "`[io.buildpacks.lifecycle]` log-level, process-type",
    result: "prepared.toml tells later phases",
    toml: `${v2}[io.buildpacks.lifecycle]\nlog-level = "debug"\nprocess-type = "web"\n`,
    expect: { file: ["layers/prepared.toml", 'log-level = "debug"'] },
  },
  {
    id: "E11",
    given: "a log level that is none",
    result: "111",
    toml: `${v2}[io.buildpacks.lifecycle]\nlog-level = "loud"\n`,
    expect: { error: [111, "unknown log level"] },
  },
  {
    id: "E12",
    given: "-skip-config",
    result: "no run.toml",
    toml: `${v2}[io.buildpacks.lifecycle]\nrun-image = "my/run"\n`,
    options: () => ({ skipConfig: true }),
    expect: { file: ["layers/run.toml", null] },
  },
  {
    id: "E13",
    given: "-skip-project-metadata",
    result: "no project-metadata.toml",
    toml: `${v2}version = "1"\n`,
    options: () => ({ skipProjectMetadata: true }),
    expect: { file: ["layers/project-metadata.toml", null] },
  },
  {
    id: "E14",
    given: "the platform's own project-metadata.toml",
    result: "it stays",
    toml: `${v2}version = "1"\n`,
    setUp: (w) => void w.write("layers/project-metadata.toml", "[source]\n"),
    expect: { log: "is not written, as the platform provides" },
  },
];
