/**
 * Finds a character that stands outside of quotes and is not escaped.
 * @param escapeToken the Dockerfile's escape character
 * @param start where to begin, which is outside of quotes
 * @returns its index, or where the text ends: an escape at the very end escapes nothing and is not part of it
 */
export function findUnquoted(text: string, wanted: RegExp, escapeToken: string, start = 0): number {
  let quote = "";
  for (let index = start; index < text.length; index++) {
    const character = text[index] ?? "";
    if (character === escapeToken && quote !== "'") {
      if (index === text.length - 1) return index;
      index++;
    } else if (quote === "" && wanted.test(character)) return index;
    else if (quote === "" && (character === "'" || character === '"')) quote = character;
    else if (character === quote) quote = "";
  }
  return text.length;
}

/**
 * Splits text at spaces and tabs that stand outside of quotes. Quotes and escapes stay in the words; `expandWord` takes
 * them away when variables are known.
 * @param escapeToken the Dockerfile's escape character
 */
export function splitWords(text: string, escapeToken: string): string[] {
  const words: string[] = [];
  for (let start = 0; start < text.length; ) {
    const end = findUnquoted(text, /\s/, escapeToken, start);
    if (end > start) words.push(text.slice(start, end));
    start = end + 1;
  }
  return words;
}
