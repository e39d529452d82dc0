/** Reads server-sent events as a page does, one after the other. */

export type EventStream = {
  status: number;
  headers: Headers;
  /** The next block of the stream as it is: an event, a comment, or how soon to come back. Null once it has ended. */
  next(): Promise<string | null>;
  /** The data of the next event, whatever stands before it. Throws where the stream ends first. */
  data(): Promise<string>;
  /** Leaves, as a page does that is closed. */
  close(): void;
};

export async function openEventStream(url: string): Promise<EventStream> {
  const controller = new AbortController();
  const response = await fetch(url, {
    headers: { accept: 'text/event-stream' },
    signal: controller.signal,
  });
  const chunks = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const next = async (): Promise<string | null> => {
    for (;;) {
      const end = text.indexOf('\n\n');
      if (end >= 0) {
        const block = text.slice(0, end);
        text = text.slice(end + 2);
        return block;
      }
      const chunk = await chunks?.read();
      if (chunk?.value === undefined) return null;
      text += chunk.value;
    }
  };
  return {
    status: response.status,
    headers: response.headers,
    next,
    async data() {
      for (let block = await next(); block !== null; block = await next()) {
        const data = block.split('\n').find((line) => line.startsWith('data: '));
        if (data !== undefined) return data.slice('data: '.length);
      }
      throw new Error('The stream ended without a further event');
    },
    close: () => controller.abort(),
  };
}
