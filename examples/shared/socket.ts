// One websocket for all subscriptions, opened when there is one and opened again whenever it is lost.
import { createClient } from 'graphql-ws';
import { useEffect, useSyncExternalStore } from 'react';
import { end, freshToken, heldToken, socketEndpoint } from './session.js';

const sleep = (ms: number) => new Promise<void>((wake) => setTimeout(wake, ms));

let sent: string | undefined;
let refused: string | undefined;

export const socket = createClient({
  url: socketEndpoint,
  // Asked for each connection. Where a token ended or is refused the server closes with 4403, and the next connection
  // brings another.
  connectionParams: async () => {
    sent = await freshToken(refused).catch(heldToken); // an error here would end the subscriptions for good
    return sent ? { authorization: `Bearer ${sent}` } : {};
  },
  retryAttempts: Infinity,
  shouldRetry: () => true, // also where a browser tells of an error before it tells of the close, as without a network
  retryWait: (retries) => sleep(Math.min(500 * 2 ** retries, 10_000) * (0.5 + Math.random())),
  keepAlive: 20_000,
});

// A ping that is not answered in time: the network went away without a word.
let unanswered: number;
socket.on('ping', (received) => {
  if (!received) unanswered = setTimeout(() => socket.terminate(), 5_000);
});
socket.on('pong', (received) => received && clearTimeout(unanswered));
socket.on('closed', () => clearTimeout(unanswered));

let lost = false;
const listeners = new Set<() => void>();
const note = (now: boolean) => {
  lost = now;
  listeners.forEach((tell) => tell());
};
socket.on('connected', () => note(false));
socket.on('closed', (event) => {
  const { code } = event as CloseEvent;
  note(code !== 1000); // 1000: nobody subscribes any more
  if (code === 4403) refused = sent;
  if (code === 4401) end(); // the session was ended, perhaps on another device
});

/** Calls again whenever a lost socket is open again, for what may have been missed meanwhile. */
export function useReconnected(again: () => void) {
  useEffect(() => socket.on('connected', (_socket, _payload, wasLost) => wasLost && again()));
}

/** Whether the socket is lost and being opened again. */
export function useOffline(): boolean {
  return useSyncExternalStore((tell) => (listeners.add(tell), () => listeners.delete(tell)), () => lost);
}
