/** A Platform API or Buildpack API version, `<major>.<minor>` (platform.md and buildpack.md, "API Versioning"). */
export class ApiVersion {
  readonly major: number;
  readonly minor: number;

  private constructor(major: number, minor: number) {
    this.major = major;
    this.minor = minor;
  }

  /**
   * Reads `0.12`, `v0.12`, or `1` (meaning `1.0`).
   * @throws RangeError if the text is not such a version
   */
  static parse(text: string): ApiVersion {
    const version = ApiVersion.tryParse(text);
    if (version === undefined) {
      throw new RangeError(`could not parse '${text}' as version: expected <major>.<minor>, such as 0.12`);
    }
    return version;
  }

  /** As {@link ApiVersion.parse}, but `undefined` if the text is not a version. */
  static tryParse(text: string): ApiVersion | undefined {
    const match = /^v?(\d+)\.?(\d*)$/.exec(text);
    const major = Number(match?.[1] ?? Number.NaN);
    const minor = Number(match?.[2] ?? Number.NaN);
    return Number.isSafeInteger(major) && Number.isSafeInteger(minor) ? new ApiVersion(major, minor) : undefined;
  }

  /** Negative if this version is older than `other`, positive if newer, 0 if equal. */
  compare(other: ApiVersion | string): number {
    const version = typeof other === "string" ? ApiVersion.parse(other) : other;
    return this.major - version.major || this.minor - version.minor;
  }

  equals(other: ApiVersion | string): boolean {
    return this.compare(other) === 0;
  }

  atLeast(other: ApiVersion | string): boolean {
    return this.compare(other) >= 0;
  }

  lessThan(other: ApiVersion | string): boolean {
    return this.compare(other) < 0;
  }

  /** Whether who implements this version can serve `other`: versions 0.x only themselves, later ones all older minors. */
  isSupersetOf(other: ApiVersion): boolean {
    return this.major === 0 ? this.equals(other) : this.major === other.major && this.minor >= other.minor;
  }

  toString(): string {
    return `${this.major}.${this.minor}`;
  }

  toJSON(): string {
    return this.toString();
  }
}

const versions = (...texts: string[]): readonly ApiVersion[] => texts.map((text) => ApiVersion.parse(text));

/** Oldest first, deprecated ones included. */
export const SUPPORTED_PLATFORM_APIS = versions("0.7", "0.8", "0.9", "0.10", "0.11", "0.12", "0.13", "0.14", "0.15");
export const DEPRECATED_PLATFORM_APIS = versions();
/** Oldest first, deprecated ones included. */
export const SUPPORTED_BUILDPACK_APIS = versions("0.7", "0.8", "0.9", "0.10", "0.11", "0.12");
export const DEPRECATED_BUILDPACK_APIS = versions();

/** Which of the two APIs a version is of. */
export type ApiKind = "platform" | "buildpack";

const supported = { platform: SUPPORTED_PLATFORM_APIS, buildpack: SUPPORTED_BUILDPACK_APIS };
const deprecated = { platform: DEPRECATED_PLATFORM_APIS, buildpack: DEPRECATED_BUILDPACK_APIS };

/** Whether this lifecycle serves `version`. */
export function isSupported(kind: ApiKind, version: ApiVersion): boolean {
  return supported[kind].some((candidate) => candidate.isSupersetOf(version));
}

/** Whether a later release will no longer serve `version`. */
export function isDeprecated(kind: ApiKind, version: ApiVersion): boolean {
  return deprecated[kind].some((candidate) => version.isSupersetOf(candidate));
}
