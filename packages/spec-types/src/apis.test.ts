import { describe, expect, it } from "vitest";
import { ApiVersion, isDeprecated, isSupported, SUPPORTED_BUILDPACK_APIS, SUPPORTED_PLATFORM_APIS } from "./apis.ts";

const version = (text: string): ApiVersion => ApiVersion.parse(text);

describe("ApiVersion", () => {
  it("reads what the reference lifecycle reads", () => {
    expect(["0.7", "v0.12", "1", "10", "0."].map((text) => version(text).toString())).toEqual([
      "0.7",
      "0.12",
      "1.0",
      "10.0",
      "0.0",
    ]);
  });

  it.each(["", "x", "0.7.1", "-1.0", "0.7 ", "0x1", "0.99999999999999999999"])("refuses %j", (text) => {
    expect(ApiVersion.tryParse(text)).toBeUndefined();
    expect(() => version(text)).toThrow(`could not parse '${text}' as version`);
  });

  it("orders by number, not by text", () => {
    expect(version("0.9").lessThan("0.10")).toBe(true);
    expect(version("0.10").atLeast("0.9")).toBe(true);
    expect(version("1.0").compare(version("0.15"))).toBeGreaterThan(0);
    expect(version("0.7").equals("v0.7")).toBe(true);
  });

  it("serves other 0.x versions never, and older minors of a later major", () => {
    expect(version("0.10").isSupersetOf(version("0.9"))).toBe(false);
    expect(version("1.2").isSupersetOf(version("1.1"))).toBe(true);
    expect(version("1.1").isSupersetOf(version("1.2"))).toBe(false);
  });
});

describe("supported APIs", () => {
  it("are Platform 0.7 to 0.15 and Buildpack 0.7 to 0.12, none of them deprecated", () => {
    expect(SUPPORTED_PLATFORM_APIS.join()).toBe("0.7,0.8,0.9,0.10,0.11,0.12,0.13,0.14,0.15");
    expect(SUPPORTED_BUILDPACK_APIS.join()).toBe("0.7,0.8,0.9,0.10,0.11,0.12");
    expect(SUPPORTED_PLATFORM_APIS.some((api) => isDeprecated("platform", api))).toBe(false);
    expect(isSupported("platform", version("0.6"))).toBe(false);
    expect(isSupported("platform", version("0.15"))).toBe(true);
    expect(isSupported("buildpack", version("0.13"))).toBe(false);
  });
});
