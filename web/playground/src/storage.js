const histories = ['graphiql:queries', 'graphiql:favorites'];

// storage is what GraphiQL keeps between visits, in the browser's own storage. Its history holds headers too, whatever
// its settings say about them; they are left out, since a token is nothing to keep.
export const storage = {
  getItem: (key) => localStorage.getItem(key),
  setItem: (key, value) => localStorage.setItem(key, histories.includes(key) ? withoutHeaders(value) : value),
  removeItem: (key) => localStorage.removeItem(key),
  clear: () => localStorage.clear(),
  get length() {
    return localStorage.length;
  },
};

function withoutHeaders(json) {
  return JSON.stringify(JSON.parse(json), (key, value) => (key === 'headers' ? undefined : value));
}
