import { setTimeout as sleep } from "node:timers/promises";
import { ConnectionError } from "./connection-error.ts";
import { RegistryError } from "./registry-error.ts";

const attempts = 6;
const firstDelay = 300;
const longestDelay = 60_000;

/**
 * Decides after each failure of something whether to try it again, and when: connection errors and the statuses 408,
 * 429 and 5xx heal with time. Waits double each time and are cut short at random, so that many clients do not come back
 * together; a registry's Retry-After is honoured up to a minute.
 */
export class Backoff {
  readonly #warn: (message: string) => void;
  readonly #signal: AbortSignal | undefined;
  #failures = 0;

  /**
   * @param warn told about each failure that another attempt follows
   * @param signal ends the waiting with its reason
   */
  constructor(warn: (message: string) => void, signal?: AbortSignal) {
    this.#warn = warn;
    this.#signal = signal;
  }

  /** Returns when it is time for another attempt; throws `error` if there should be none. */
  async wait(error: unknown): Promise<void> {
    this.#signal?.throwIfAborted();
    this.#failures++;
    if (this.#failures === attempts || !isTransient(error)) throw error;
    const backoff = firstDelay * 2 ** (this.#failures - 1) * (0.5 + Math.random() / 2);
    const delay = Math.min(Math.max(backoff, retryAfter(error)), longestDelay);
    this.#warn(`${error.message}; trying again in ${(delay / 1000).toFixed(1)} s`);
    try {
      await sleep(delay, undefined, this.#signal && { signal: this.#signal });
    } finally {
      this.#signal?.throwIfAborted();
    }
  }

  /** Forgets earlier failures, as there was progress. */
  reset(): void {
    this.#failures = 0;
  }
}

/**
 * Runs `attempt` until it succeeds or fails for good.
 * @param backoff decides which failures are for good
 */
export async function retrying<T>(attempt: () => Promise<T>, backoff: Backoff): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      await backoff.wait(error);
    }
  }
}

function isTransient(error: unknown): error is ConnectionError | RegistryError {
  return (error instanceof ConnectionError || error instanceof RegistryError) && error.transient;
}

function retryAfter(error: ConnectionError | RegistryError): number {
  return error instanceof RegistryError ? (error.retryAfter ?? 0) : 0;
}
