import fp from 'fastify-plugin';

/**
 * Requests that run when the server begins to close get their answer as the last one on their
 * connection. Without it the connection stays open until its keep-alive ends, and so does the server.
 */
export const lastAnswersPlugin = fp(
  async (app) => {
    let isClosing = false;
    app.addHook('preClose', async () => {
      isClosing = true;
    });
    // oxlint-disable-next-line max-params -- the framework's; a promise costs each request more.
    app.addHook('onSend', (_request, reply, payload, done) => {
      if (isClosing) reply.header('connection', 'close');
      done(null, payload);
    });
  },
  { name: 'last-answers' },
);
