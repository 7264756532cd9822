// The editor asks for its workers by label; build.mjs says where they are.
globalThis.MonacoEnvironment = {
  getWorker(_id, label) {
    return new Worker(WORKERS[label] ?? WORKERS.editor, { type: 'module', name: label });
  },
};
