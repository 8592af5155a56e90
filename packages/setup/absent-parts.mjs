import { basename } from "node:path";

/** Optional native parts of dependencies. They are tried at run time; the executables do without, wherever they run. */
const nativeParts = {
  name: "without-native-parts",
  setup(esbuild) {
    esbuild.onResolve({ filter: /\.node$|^cpu-features$/ }, ({ path }) => ({ path, namespace: "absent" }));
    esbuild.onLoad({ filter: /.*/, namespace: "absent" }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${basename(path)} is not part of this executable`)});`,
    }));
  },
};

/**
 * What dockerode needs to build images, to hold BuildKit sessions and to reach daemons over SSH. Nobody asks it to, and
 * reading that much would take longer than the rest of a phase.
 */
const unusedParts = {
  name: "without-unused-parts",
  setup(esbuild) {
    const filter = /^(@balena\/dockerignore|@grpc\/grpc-js|@grpc\/proto-loader|protobufjs|ssh2|tar-fs)$/;
    esbuild.onResolve({ filter }, ({ path }) => ({ path, namespace: "unused" }));
    esbuild.onLoad({ filter: /.*/, namespace: "unused" }, () => ({ contents: "module.exports = {};" }));
  },
};

/** Plugins of esbuild that leave out what the executables' dependencies bring along and never use. */
export const withoutAbsentParts = [nativeParts, unusedParts];
