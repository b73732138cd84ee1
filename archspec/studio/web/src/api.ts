// Talking to the studio's server: everything is below the page's own address, which holds the token.

export class Refused extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly body: Record<string, unknown>,
  ) {
    super(message);
  }
}

/** Thrown where nobody answers: the server has ended. */
export class Gone extends Error {}

async function send(path: string, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch {
    throw new Gone("the studio does not answer");
  }
}

async function checked(response: Response): Promise<Response> {
  if (response.ok) return response;
  const text = await response.text();
  let body: Record<string, unknown> = {};
  try {
    body = JSON.parse(text);
  } catch {
    body = { failed: text.trim() };
  }
  throw new Refused(String(body["failed"] ?? response.statusText), response.status, body);
}

export async function get<T>(path: string): Promise<T> {
  return (await checked(await send(`api/${path}`))).json();
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  const init = { method: "POST", body: JSON.stringify(body) };
  return (await checked(await send(`api/${path}`, init))).json();
}

/** Send a file as it is. */
export async function upload<T>(path: string, file: Blob): Promise<T> {
  return (await checked(await send(`api/${path}`, { method: "POST", body: file }))).json();
}

export type Part = Record<string, any>;

/** Ask the process that expands; `take` gets each part of the answer as it comes. */
export async function ask(kind: string, body: unknown, take: (part: Part, line: string) => void): Promise<void> {
  const init = { method: "POST", body: JSON.stringify(body) };
  const response = await checked(await send(`api/ask/${kind}`, init));
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw new Gone("the studio does not answer");
    });
    rest += decoder.decode(value, { stream: !done });
    let end: number;
    while ((end = rest.indexOf("\n")) >= 0) {
      const line = rest.slice(0, end);
      take(JSON.parse(line), line);
      rest = rest.slice(end + 1);
    }
    if (done) return;
  }
}

/** The last part of an answer. */
export async function askOnce<T extends Part>(kind: string, body: unknown): Promise<T> {
  let found: Part = {};
  await ask(kind, body, (part) => (found = part));
  if (found["failed"]) throw new Refused(String(found["failed"]), 400, found);
  return found as T;
}
