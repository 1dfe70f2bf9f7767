import { trace } from '@opentelemetry/api';
import { describe, expect, test } from 'vitest';
import { contextOf, fromTraceparent, placeOf, toTraceparent } from './trace-ports.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const parentOf = (span: string, flags = '01') => `00-${TRACE_ID}-${span}-${flags}`;
const A = parentOf('b7ad6b7169203331');
const B = parentOf('00f067aa0ba902b7');

describe('a traceparent', () => {
  test('comes back as it went', () => {
    const context = fromTraceparent(A);
    expect(context).toMatchObject({ traceId: TRACE_ID, isRemote: true });
    expect(context && toTraceparent(context)).toBe(A);
  });

  test('is not carried for a span that nobody keeps', () => {
    const context = fromTraceparent(parentOf('b7ad6b7169203331', '00'));
    expect(context && toTraceparent(context)).toBeUndefined();
  });

  test.each([undefined, '', 'x', A.toUpperCase(), parentOf('0000000000000000'), `${A}-more`])(
    'is none when it reads %s',
    (text) => {
      expect(fromTraceparent(text)).toBeUndefined();
      expect(trace.getSpanContext(contextOf(text))).toBeUndefined();
    },
  );
});

describe('work belongs', () => {
  test('into the trace of the one write that it is done for', () => {
    const { context, options } = placeOf([A, A]);
    expect(trace.getSpanContext(context)?.spanId).toBe('b7ad6b7169203331');
    expect(options).toEqual({});
  });

  test('into a trace of its own, linked to each write, when there are several', () => {
    const { context, options } = placeOf([A, B, A]);
    expect(trace.getSpanContext(context)).toBeUndefined();
    expect(options.links?.map((link) => link.context.spanId)).toEqual([
      'b7ad6b7169203331',
      '00f067aa0ba902b7',
    ]);
  });

  test('to no more writes than a span can be linked to', () => {
    const many = Array.from({ length: 500 }, (_, index) =>
      parentOf((index + 1).toString(16).padStart(16, '0')),
    );
    expect(placeOf(many).options.links).toHaveLength(128);
  });
});
