import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** SBOM media types that the lifecycle reads and writes (buildpack.md, "Bill-of-Materials"). */
export const SBOM_MEDIA_TYPES = [
  "application/vnd.cyclonedx+json",
  "application/spdx+json",
  "application/vnd.syft+json",
];

/** SPDX asks for a time; this one says that there is none. */
const NO_TIME = "1980-01-01T00:00:01Z";

/**
 * The npm packages whose files are among a bundle's inputs.
 *
 * @param {string} metaFile `{ inputs: string[] }`, paths relative to the folder above the file's own
 * @returns {Component[]} each package once, sorted
 *
 * @typedef {{ name: string, version: string, license: string, purl: string }} Component
 */
export function bundledPackages(metaFile) {
  const base = resolve(dirname(metaFile), "..");
  const { inputs } = JSON.parse(readFileSync(metaFile, "utf8"));
  const dirs = new Set();
  for (const input of inputs) {
    const [dir] = /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(input) ?? [];
    if (dir !== undefined) dirs.add(resolve(base, dir));
  }
  return sortedComponents([...dirs].map((dir) => npmComponent(dir)));
}

/** An npm package by the folder it lies in. */
export function npmComponent(dir) {
  const { name, version, license } = JSON.parse(readFileSync(join(dir, "package.json"), "utf8"));
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  return { name, version, license: typeof license === "string" ? license : "NOASSERTION", purl };
}

/** A package of the distribution whose files are in the product; its version as the toolchain tells it. */
export function distributionComponent(name, version, license) {
  const release = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  const [, distribution = "debian"] = /^ID="?([a-z]+)/m.exec(release) ?? [];
  return { name, version, license, purl: `pkg:deb/${distribution}/${name}@${encodeURIComponent(version)}` };
}

/** Each component once, in the order of its purl. */
export function sortedComponents(components) {
  const byPurl = new Map(components.map((component) => [component.purl, component]));
  return [...byPurl.values()].sort((a, b) => (a.purl < b.purl ? -1 : 1));
}

/**
 * The three SBOM files of an executable, by the end of their names. Their bytes depend on the arguments alone.
 *
 * @returns {Record<"cdx" | "spdx" | "syft", string>}
 */
export function sboms(name, version, components) {
  const digest = createHash("sha256")
    .update(JSON.stringify([name, version, components]))
    .digest("hex");
  const uuid = `urn:uuid:${digest.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*/, "$1-$2-5$3-8$4-$5")}`;
  const documents = {
    cdx: cycloneDx(name, version, components, uuid),
    spdx: spdx(name, version, components, uuid),
    syft: syft(name, version, components, digest),
  };
  return Object.fromEntries(
    Object.entries(documents).map(([key, doc]) => [key, `${JSON.stringify(doc, undefined, 2)}\n`]),
  );
}

function cycloneDx(name, version, components, uuid) {
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    serialNumber: uuid,
    version: 1,
    metadata: { component: { "bom-ref": `${name}@${version}`, type: "application", name, version } },
    components: components.map((component) => ({
      "bom-ref": component.purl,
      type: "library",
      name: component.name,
      version: component.version,
      licenses: component.license === "NOASSERTION" ? [] : [{ expression: component.license }],
      purl: component.purl,
    })),
    dependencies: [{ ref: `${name}@${version}`, dependsOn: components.map(({ purl }) => purl) }],
  };
}

function spdx(name, version, components, uuid) {
  const spdxPackage = (SPDXID, component) => ({
    SPDXID,
    name: component.name,
    versionInfo: component.version,
    downloadLocation: "NOASSERTION",
    filesAnalyzed: false,
    licenseConcluded: "NOASSERTION",
    licenseDeclared: component.license,
    copyrightText: "NOASSERTION",
    ...(component.purl === undefined
      ? {}
      : {
          externalRefs: [
            { referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: component.purl },
          ],
        }),
  });
  const root = "SPDXRef-Package-0";
  return {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name,
    documentNamespace: uuid,
    creationInfo: { created: NO_TIME, creators: [`Tool: ${name}-${version}`] },
    packages: [
      spdxPackage(root, { name, version, license: "Apache-2.0" }),
      ...components.map((component, index) => spdxPackage(`SPDXRef-Package-${index + 1}`, component)),
    ],
    relationships: [
      { spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: root },
      ...components.map((_, index) => ({
        spdxElementId: root,
        relationshipType: "CONTAINS",
        relatedSpdxElement: `SPDXRef-Package-${index + 1}`,
      })),
    ],
  };
}

function syft(name, version, components, digest) {
  return {
    artifacts: components.map((component) => {
      const npm = component.purl.startsWith("pkg:npm/");
      return {
        id: createHash("sha256").update(component.purl).digest("hex").slice(0, 16),
        name: component.name,
        version: component.version,
        type: npm ? "npm" : "deb",
        foundBy: "build",
        locations: [],
        licenses:
          component.license === "NOASSERTION"
            ? []
            : [
                {
                  value: component.license,
                  spdxExpression: component.license,
                  type: "declared",
                  urls: [],
                  locations: [],
                },
              ],
        language: npm ? "javascript" : "",
        cpes: [],
        purl: component.purl,
      };
    }),
    artifactRelationships: [],
    source: { id: digest, name, version, type: "file", metadata: { path: name } },
    distro: {},
    descriptor: { name: "lifecycle", version },
    schema: {
      version: "16.0.0",
      url: "https://raw.githubusercontent.com/anchore/syft/main/schema/json/schema-16.0.0.json",
    },
  };
}
