import type { Socket } from 'node:net'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AppError, ERRORS, messageOf, type ErrorCode } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'

/** The one shape of every error: `{"success":false,"error":{"code","message"}}`, never a stack. */
export function sendError(reply: FastifyReply, code: ErrorCode, message: string): FastifyReply {
  return reply.code(ERRORS[code].httpStatus).send({ success: false, error: { code, message } })
}

export function handleErrors(app: FastifyInstance, log: Log): void {
  app.setNotFoundHandler((request, reply) => {
    // The path alone: a query may carry what somebody took for a place to put a token.
    const path = request.url.split('?')[0] ?? ''
    return sendError(reply, 'not_found', `There is no ${request.method} ${path.slice(0, 200)}.`)
  })
  app.setErrorHandler((error: FastifyError | AppError, request, reply) => {
    if (error instanceof AppError) return sendError(reply, error.code, error.message)
    const [code, message] = explain(error)
    if (code === 'internal') {
      log.error(
        {
          event: 'http.failed',
          method: request.method,
          route: request.routeOptions.url,
          cause: messageOf(error),
          stack: error.stack,
        },
        'A request failed',
      )
    }
    return sendError(reply, code, message)
  })
}

/** For what fails before there is a route, and so never meets the error handler: a URL that can't be decoded. */
export function answerUnroutable(_error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  void sendError(reply, 'bad_request', 'The address of the request could not be read, or is too long.')
}

/** For what is no HTTP at all, or too large or too slow to be read: nothing of Fastify is involved yet. */
export function refuseGarbage(_error: unknown, socket: Socket): void {
  if (!socket.writable) return void socket.destroy()
  const code: ErrorCode = 'bad_request'
  const body = JSON.stringify({ success: false, error: { code, message: 'The request could not be read as HTTP.' } })
  const { httpStatus } = ERRORS[code]
  const head = `HTTP/1.1 ${httpStatus} Bad Request\r\nContent-Type: application/json\r\nConnection: close`
  socket.write(`${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
  // Not `end`: the other side could keep its half open for ever.
  socket.destroySoon()
}

function explain(error: FastifyError): [ErrorCode, string] {
  if (error.validation) {
    const [first] = error.validation
    const at = first?.instancePath.slice(1).replaceAll('/', '.').slice(0, 60) ?? ''
    const what = error.validationContext ?? 'request'
    // The validator says of an unknown field that its schema is false, and of a choice each constant in a line of its own.
    if (first?.keyword === 'boolean') return ['bad_request', `The ${what} does not fit: "${at}" is not known here.`]
    const choices = error.validation
      .filter(({ keyword, instancePath }) => keyword === 'const' && instancePath === first?.instancePath)
      .map(({ params }) => String(params['allowedValue']))
    const wanted = choices.length > 0 ? `must be ${choices.join(' or ')}` : (first?.message ?? 'is wrong')
    return ['bad_request', `The ${what} does not fit${at === '' ? '' : ` at ${at}`}: it ${wanted}.`]
  }
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return ['payload_too_large', 'The body is larger than this route takes.']
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return ['unsupported_media_type', 'Send the body as application/json.']
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return ['bad_request', 'The body is not JSON.']
    default:
      break
  }
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return ['bad_request', 'The request could not be read.']
  }
  return ['internal', 'Something went wrong in the service; its log has the details.']
}
