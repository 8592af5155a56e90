/** A text, such as a message or a URL, without the names and passwords that URLs in it may hold. */
export function withoutSecrets(text: string): string {
  return text.replaceAll(/\/\/[^/\s]*@/g, "//");
}
