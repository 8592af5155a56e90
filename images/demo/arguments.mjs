import { parseArgs } from "node:util";
import { SetupError } from "../../packages/setup/report.mjs";

const USAGE = "npm run demo takes nothing, or: -- --extensions";

/**
 * What the command line asks of the demo. It needs nothing that is built, so that a mistake shows before the build.
 *
 * @param {readonly string[]} args
 * @throws SetupError, one line, for what it does not know, and for what takes root where there is none
 */
export function readArguments(args) {
  const { extensions, lifecycle } = parse(args);
  // npm takes options for its own that do not stand behind "--", and goes on without them
  if (!extensions && process.env.npm_config_extensions === "true") {
    throw new SetupError("npm took --extensions for an option of its own; write: npm run demo -- --extensions");
  }
  if (extensions && process.getuid() !== 0) {
    throw new SetupError("extending images takes root: sudo npm run demo -- --extensions");
  }
  return { extensions, lifecycle };
}

function parse(args) {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { extensions: { type: "boolean", default: false } },
      allowPositionals: true,
    });
    return { extensions: values.extensions, lifecycle: positionals[0] };
  } catch (error) {
    const [problem] = error.message.split(". ");
    throw new SetupError(`${problem}; ${USAGE}`);
  }
}
