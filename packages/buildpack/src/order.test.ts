import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DirStore } from "./dir-store.ts";
import { mergeSystemBuildpacks, prependExtensions, verifyOrder } from "./order.ts";
import { TestBuilder } from "./test-builder.ts";

let builder: TestBuilder;

beforeEach(() => {
  builder = new TestBuilder();
});

afterEach(() => {
  builder.remove();
});

const named = (...ids: string[]) => ids.map((id) => ({ id, version: "1" }));

describe("mergeSystemBuildpacks", () => {
  it("puts them around each group that does not name them itself", () => {
    const order = [{ group: named("a") }, { group: [{ id: "first", version: "2" }, ...named("b", "last")] }];
    const system = { pre: named("first", "second"), post: named("last") };
    expect(mergeSystemBuildpacks(order, system, builder.logger)).toEqual([
      { group: named("first", "second", "a", "last") },
      { group: [...named("second"), { id: "first", version: "2" }, ...named("b", "last")] },
    ]);
    expect(builder.lines).toEqual([
      "debug: Prepending 2 system buildpack(s) to group",
      "debug: Appending 1 system buildpack(s) to group",
      "debug: Prepending 1 system buildpack(s) to group",
    ]);
  });
});

describe("verifyOrder", () => {
  it("asks for the API of every buildpack and extension of the order", () => {
    builder.buildpack("a", { api: "0.9" });
    builder.extension("x", { api: "0.10" });
    const asked: string[] = [];
    const order = { order: [{ group: named("a") }], orderExtensions: [{ group: named("x") }] };
    verifyOrder(order, new DirStore(builder), (kind, name, api) => asked.push(`${kind} ${name} ${api}`));
    expect(asked).toEqual(["Buildpack a@1 0.9", "Extension x@1 0.10"]);
  });
});

describe("DirStore", () => {
  const lookup = (id: string, version = "1") => new DirStore(builder).lookupBuildpack(id, version);

  it("says what is missing or broken", () => {
    expect(() => lookup("none")).toThrow(
      `open ${builder.buildpacksDir}/none/1/buildpack.toml: no such file or directory; ` +
        "'none@1' is in the order or group, but not in the builder",
    );
    expect(() => lookup("none", "")).toThrow("; 'none' is in the order or group without a version");
    builder.write("buildpacks/broken/1/buildpack.toml", "api =\n");
    expect(() => lookup("broken")).toThrow(`${builder.buildpacksDir}/broken/1/buildpack.toml:1:6: `);
    expect(() => new DirStore({ buildpacksDir: "" }).lookupBuildpack("a", "1")).toThrow("missing buildpacks directory");
    expect(() => new DirStore(builder).lookupExtension("a", "1")).toThrow("extensions/a/1/extension.toml");
  });

  it("stays in its directory", () => {
    expect(() => lookup("..")).toThrow('invalid buildpack or extension id ".."');
    expect(() => lookup("a", "../../x")).toThrow(`invalid version "../../x" of buildpack 'a'`);
  });
});

describe("prependExtensions", () => {
  it("leaves an order without extensions as it is", () => {
    const order = [{ group: named("a") }];
    expect(prependExtensions({ order, orderExtensions: [] })).toEqual([
      [{ kind: "element", element: { id: "a", version: "1" } }],
    ]);
  });

  it("offers all groups of extensions, as optional, before each group of buildpacks", () => {
    const order = [{ group: named("a") }, { group: named("b") }];
    const [first, second] = prependExtensions({ order, orderExtensions: [{ group: named("x") }] });
    expect(first?.[0]).toEqual({
      kind: "extensions",
      order: [{ group: [{ id: "x", version: "1", extension: true, optional: true }] }],
    });
    expect(second?.[0]).toEqual(first?.[0]);
    expect(second).toHaveLength(2);
  });
});
