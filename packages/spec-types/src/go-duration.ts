/** Seconds in each unit of a Go duration. */
const units: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  μs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
};

/** The longest duration that Go can hold, in seconds. */
const longest = 2 ** 63 / 1e9;

const part = String.raw`(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)`;

/** Reads a duration as Go's ParseDuration does (`336h`, `1m30s`, `-1.5h`), in seconds; undefined for any other text. */
export function parseGoDuration(text: string): number | undefined {
  const [, sign, amount = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (amount === "0") return 0;
  if (!new RegExp(`^(?:${part})+$`).test(amount)) return undefined;
  let seconds = 0;
  for (const [, number, unit = ""] of amount.matchAll(new RegExp(part, "g"))) {
    seconds += Number(number) * (units[unit] ?? 0);
  }
  if (seconds >= longest) return undefined;
  return sign === "-" ? -seconds : seconds;
}

/** Writes whole seconds, or milliseconds, as Go writes a duration: `336h0m0s`, `1m30s`, `1.5s`. */
export function formatGoDuration(seconds: number): string {
  const sign = seconds < 0 ? "-" : "";
  const milliseconds = Math.round(Math.abs(seconds) * 1000);
  if (milliseconds === 0) return "0s";
  if (milliseconds < 1000) return `${sign}${milliseconds}ms`;
  const minutes = Math.floor(milliseconds / 60_000);
  const rest = `${(milliseconds % 60_000) / 1000}s`;
  if (minutes === 0) return `${sign}${rest}`;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${sign}${minutes}m${rest}` : `${sign}${hours}h${minutes % 60}m${rest}`;
}
