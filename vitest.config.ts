import { defineConfig } from "vitest/config";

const MINUTES = 60_000;

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["packages/*/src/**/*.test.ts"] } },
      {
        test: {
          name: "black-box",
          include: ["test/**/*.test.ts"],
          // Real registries, daemons and builds: each file has the machine to itself.
          fileParallelism: false,
          testTimeout: 5 * MINUTES,
          hookTimeout: 5 * MINUTES,
        },
      },
    ],
  },
});
