import { describe, expect, it } from "vitest";
import type { Instruction } from "./instruction.ts";
import { parseDockerfile } from "./parse.ts";

/** The instructions of a stage, without what is the same for all. */
function parse(text: string): Record<string, unknown>[] {
  const { stages } = parseDockerfile(`FROM base\n${text}`, "Dockerfile");
  return (stages[0]?.instructions ?? []).map(({ place: _, source: __, ...rest }: Instruction) => rest);
}

describe("parsing", () => {
  it("finds the stages, their names and the ARGs before them", () => {
    const text = `ARG a=1 b\nFROM --platform=linux/amd64 one AS First\nFROM \${a}\nRUN x\n`;
    const { globalArgs, stages } = parseDockerfile(text, "Dockerfile");
    expect(globalArgs[0]?.args).toEqual([
      { name: "a", value: "1" },
      { name: "b", value: undefined },
    ]);
    expect(stages.map(({ from }) => [from.image, from.stage])).toEqual([
      ["one", "first"],
      [`\${a}`, undefined],
    ]);
    expect(stages[1]?.instructions).toHaveLength(1);
  });

  it("says where an instruction begins, after comments, continuations and heredocs", () => {
    const text = "# c\n\nFROM base\nRUN a \\\n # c\n\n b\nRUN <<EOF\nRUN inside\nEOF\n  COPY a b\n";
    const [stage] = parseDockerfile(text, "Dockerfile").stages;
    expect(stage?.instructions.map(({ kind, place }) => [kind, place.line])).toEqual([
      ["RUN", 4],
      ["RUN", 8],
      ["COPY", 11],
    ]);
  });

  it("joins continued lines, and keeps an escaped escape at the end", () => {
    expect(parse("RUN a \\\n  # no part of it\n  b\\\n\n c \\  \n d")).toEqual([
      { kind: "RUN", command: { form: "shell", text: "a   b c  d" }, mounts: [], heredocs: [] },
    ]);
    expect(parse("RUN a \\\\\nRUN b")).toHaveLength(2);
    expect(parse("ENV a=b \\ \\ ")).toMatchObject([{ pairs: [{ name: "a", value: "b" }] }]);
    expect(parse("RUN last \\\n")).toMatchObject([{ command: { text: "last" } }]);
  });

  it("reads a byte-order mark, CRLF and any case", () => {
    const { stages } = parseDockerfile("\ufefffrom base\r\nrun echo a \\\r\n b\r\nExpose 80\r\n", "Dockerfile");
    expect(stages[0]?.instructions.map(({ source }) => source)).toEqual(["RUN echo a  b", "EXPOSE 80"]);
  });

  it("honours the escape directive, unless something stands before it", () => {
    const { stages, escapeToken } = parseDockerfile("# escape=`\nFROM base\nRUN a `\n b\\\nRUN c:\\\n", "f");
    expect(escapeToken).toBe("`");
    expect(stages[0]?.instructions.map(({ source }) => source)).toEqual(["RUN a  b\\", "RUN c:\\"]);
    expect(parseDockerfile("# x\n# escape=`\nFROM a`b\n", "f").escapeToken).toBe("\\");
  });

  it("tells JSON from shell form", () => {
    expect(
      parse('CMD ["a", "b c"]\nCMD [ "a" "b" ]\nENTRYPOINT []\nRUN [not json] x\nSHELL ["/bin/sh", "-c"]'),
    ).toEqual([
      { kind: "CMD", command: { form: "exec", args: ["a", "b c"] } },
      { kind: "CMD", command: { form: "shell", text: '[ "a" "b" ]' } },
      { kind: "ENTRYPOINT", command: { form: "exec", args: [] } },
      { kind: "RUN", command: { form: "shell", text: "[not json] x" }, mounts: [], heredocs: [] },
      { kind: "SHELL", shell: ["/bin/sh", "-c"] },
    ]);
  });

  it("keeps names and values of ENV and LABEL as they are written, in their order", () => {
    expect(
      parse('ENV 2=b 1=a __proto__=x a="b = c" d=\'e f\' g=h\\ i\nLABEL "k=1"=v k=\nENV old  way  "of it"'),
    ).toEqual([
      {
        kind: "ENV",
        pairs: [
          { name: "2", value: "b" },
          { name: "1", value: "a" },
          { name: "__proto__", value: "x" },
          { name: "a", value: '"b = c"' },
          { name: "d", value: "'e f'" },
          { name: "g", value: "h\\ i" },
        ],
      },
      {
        kind: "LABEL",
        pairs: [
          { name: '"k=1"', value: "v" },
          { name: "k", value: "" },
        ],
      },
      { kind: "ENV", pairs: [{ name: "old", value: 'way  "of it"' }] },
    ]);
  });

  it("divides lists at spaces, whatever ends them", () => {
    expect(parse("VOLUME /a\t/b\\\\\nEXPOSE 80  81\nCOPY a  b\\\\")).toMatchObject([
      { values: ["/a", "/b\\\\"] },
      { values: ["80", "81"] },
      { sources: ["a"], destination: "b\\\\" },
    ]);
  });

  it("reads flags and paths of COPY and ADD", () => {
    const digest = `sha256:${"a".repeat(64)}`;
    expect(
      parse(
        `COPY --from=x --chown="a:b" --chmod=640 --link --exclude=*.md a b /c\nADD --checksum=${digest} ["a b", "c"]`,
      ),
    ).toMatchObject([
      { sources: ["a", "b"], destination: "/c", from: "x", chown: "a:b", chmod: "640", exclude: ["*.md"] },
      { sources: ["a b"], destination: "c", checksum: digest, from: undefined },
    ]);
  });

  it("takes the bodies of heredocs from what follows", () => {
    const text =
      "RUN 3<<EOF cat <<-'B'\n one\\\n\tEOF\nEOF\n\ttwo\n\tB\nCOPY <<a <<b /x/\na\nb\nRUN echo 1 << 2 '<<no'\n";
    expect(parse(text)).toMatchObject([
      {
        heredocs: [
          { name: "EOF", chomp: false, expand: true, body: " one\\\n\tEOF\n" },
          { name: "B", chomp: true, expand: false, body: "\ttwo\n" },
        ],
      },
      { sources: ["<<a", "<<b"], heredocs: [{ body: "" }, { body: "" }] },
      { heredocs: [] },
    ]);
  });

  it("takes a space between << and a name, unless no line ends that", () => {
    expect(parse("RUN cat << EOF > /x && echo $((1 << 2))\na\nEOF\nRUN b\n")).toMatchObject([
      { command: { text: "cat << EOF > /x && echo $((1 << 2))" }, heredocs: [{ name: "EOF", body: "a\n" }] },
      { command: { text: "b" } },
    ]);
    expect(parse("RUN <<'E F' cat\na\nE F\nRUN cat <<- \"x\"\n")).toMatchObject([
      { heredocs: [{ name: "E F", expand: false, body: "a\n" }] },
      { heredocs: [] },
    ]);
  });

  it("takes CMD and ENTRYPOINT without arguments", () => {
    const command = { form: "shell", text: "" };
    expect(parse("CMD \nENTRYPOINT")).toMatchObject([{ command }, { command }]);
  });

  it("keeps what variables are in flags, and takes quotes and escapes away", () => {
    expect(
      parse(`COPY --chown="a b"\\ c --exclude='$A "x' --parents --link=FALSE d e\nADD --unpack=false f g`),
    ).toMatchObject([
      { chown: "a b c", exclude: [`$A "x`], parents: true, unpack: undefined },
      { parents: false, unpack: false },
    ]);
    expect(parse("RUN --mount=type=$A,target=/b --mount=type=tmpfs,dst=/c x")).toMatchObject([
      { mounts: ["type=$A,target=/b", "type=tmpfs,dst=/c"] },
    ]);
  });

  it("reads HEALTHCHECK and ONBUILD", () => {
    expect(
      parse(
        'HEALTHCHECK --interval=1m30s --timeout=500ms --retries=2 CMD ["a"]\nHEALTHCHECK none\nONBUILD COPY <<E /x\nb\nE\nONBUILD RUN a  ',
      ),
    ).toEqual([
      {
        kind: "HEALTHCHECK",
        command: { form: "exec", args: ["a"] },
        times: { Interval: 90e9, Timeout: 500e6 },
        retries: 2,
      },
      { kind: "HEALTHCHECK", command: undefined, times: {}, retries: undefined },
      { kind: "ONBUILD", trigger: "COPY <<E /x\nb\nE" },
      { kind: "ONBUILD", trigger: "RUN a  " },
    ]);
  });

  it.each([
    ["RUN x\nFROM a", 1, "RUN stands before the first FROM"],
    ["FROM a\n\nFOO x", 3, "unknown instruction: FOO"],
    ["FROM a\nCOPY a", 2, "COPY requires at least two arguments"],
    ["# only\n\n", 1, "file with no instructions"],
    ["FROM a\nRUN", 2, "RUN requires at least one argument"],
    ["FROM a\nONBUILD", 2, "ONBUILD requires at least one argument"],
    ["FROM a\nCMD --x y", 2, "CMD has no flag --x"],
    ["FROM a\nCOPY --chown=a --chown=b c d", 2, "duplicate flag specified: --chown"],
    ["FROM a\nCOPY --link=x c d", 2, "expecting boolean value for flag --link"],
    ["FROM a\nRUN --network=some a", 2, "invalid --network=some"],
    ["FROM a b", 1, "FROM requires either one or three arguments"],
    ["FROM a\nENV x", 2, "ENV must have two arguments"],
    ["FROM a\nENV a=b c", 2, "can't find = in 'c'"],
    ["FROM a\nENV =b", 2, "ENV names can not be blank"],
    ["FROM a\nARG =b", 2, "ARG names can not be blank"],
    ["FROM a\nSHELL sh -c", 2, "SHELL requires the arguments to be in JSON form"],
    ['FROM a\nCMD ["a", 1]', 2, "CMD in JSON form takes strings only"],
    ["FROM a\nCOPY --chwon=x a b", 2, "COPY has no flag --chwon"],
    ["FROM a\nCOPY --chown a b", 2, "missing a value on flag: --chown"],
    ["FROM a\nADD --checksum=md5:1 a b", 2, "is no digest"],
    ["FROM a\nRUN --mount=type=x,target=/a b", 2, "unsupported mount type 'x'"],
    ["FROM a\nRUN --mount=type=secret b", 2, "names no secret"],
    ["FROM a\nRUN --mount=type=bind,z,target=/a b", 2, "unexpected key 'z'"],
    ["FROM a\nRUN --mount=target b", 2, "must be a key=value pair"],
    ["FROM a\nRUN --mount=tpye=cache b", 2, "unexpected key 'tpye'"],
    ["FROM a\nHEALTHCHECK x", 2, "unknown type 'x' in HEALTHCHECK"],
    ["FROM a\nHEALTHCHECK --interval=1 CMD a", 2, "is no duration"],
    ["FROM a\nHEALTHCHECK --timeout=-5s CMD a", 2, "--timeout=-5s is less than 1ms"],
    ["FROM a\nONBUILD ONBUILD RUN a", 2, "chaining ONBUILD via ONBUILD isn't allowed"],
    ["FROM a\nONBUILD FROM a", 2, "FROM isn't allowed as an ONBUILD trigger"],
    ["FROM a\nRUN <<EOF\nx", 2, "unterminated heredoc"],
    ["# escape=x\nFROM a", 1, "invalid escape token 'x'"],
    ["# escape=`\n# escape=`\nFROM a", 1, "only one escape parser directive"],
  ])("refuses %j, naming file and line", (text, line, message) => {
    expect(() => parseDockerfile(text, "some.Dockerfile")).toThrow(`some.Dockerfile:${line}: `);
    expect(() => parseDockerfile(text, "some.Dockerfile")).toThrow(message);
  });
});
