/**
 * Splits text at spaces and tabs that stand outside of quotes. Quotes and escapes stay in the words; `expandWord` takes
 * them away when variables are known.
 * @param escapeToken the Dockerfile's escapeToken character
 */
export function splitWords(text: string, escapeToken: string): string[] {
  const words: string[] = [];
  let word = "";
  let started = false;
  let quote = "";
  for (let index = 0; index < text.length; index++) {
    const character = text[index] ?? "";
    if (quote === "" && /\s/.test(character)) {
      if (started) words.push(word);
      word = "";
      started = false;
      continue;
    }
    // An escape at the very end escapes nothing.
    if (character === escapeToken && quote !== "'" && index === text.length - 1) continue;
    started = true;
    word += character;
    if (character === escapeToken && quote !== "'") {
      word += text[++index] ?? "";
    } else if (quote === "" && (character === "'" || character === '"')) {
      quote = character;
    } else if (character === quote) {
      quote = "";
    }
  }
  if (started) words.push(word);
  return words;
}
