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
    app.addHook('onSend', async (_request, reply) => {
      if (isClosing) reply.header('connection', 'close');
    });
  },
  { name: 'last-answers' },
);
