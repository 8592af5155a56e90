/**
 * Calls `work` for each item, a bounded number of them at a time.
 * @param limit how many
 * @param work is handed a signal that ends the others once one has failed
 * @param outer ends all of them with its reason
 * @returns the results in the items' order
 * @throws the first error, when all that was begun has ended
 */
export async function mapBounded<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, signal: AbortSignal) => Promise<R>,
  outer?: AbortSignal,
): Promise<R[]> {
  outer?.throwIfAborted();
  const results: R[] = new Array(items.length);
  const stop = new AbortController();
  const stopAll = () => stop.abort(outer?.reason);
  outer?.addEventListener("abort", stopAll, { once: true });
  const queue = items.entries();
  const errors: unknown[] = [];
  const worker = async () => {
    for (const [index, item] of queue) {
      if (stop.signal.aborted) return;
      try {
        results[index] = await work(item, stop.signal);
      } catch (error) {
        errors.push(error);
        stop.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  outer?.removeEventListener("abort", stopAll);
  outer?.throwIfAborted();
  if (errors.length > 0) throw errors[0];
  return results;
}
