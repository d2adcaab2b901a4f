import type { FastifyInstance } from 'fastify'
import { AppError, errnoOf } from '../../shared/errors.ts'

/**
 * Listens.
 * @throws AppError unavailable (the port is taken) or bad_config (it can never be had)
 */
export async function listen(http: FastifyInstance, config: { host: string; port: number }): Promise<void> {
  try {
    await http.listen({ port: config.port, host: config.host })
  } catch (error) {
    const where = `PORT ${config.port} on ${config.host}`
    switch (errnoOf(error)) {
      case 'EADDRINUSE':
        throw new AppError('unavailable', `${where} is taken by another program: stop it, or set PORT to a free one.`)
      case 'EACCES':
        throw new AppError('bad_config', `${where} is not allowed for this user: use a port from 1024 up.`)
      case 'EADDRNOTAVAIL':
      case 'ENOTFOUND':
        throw new AppError('bad_config', `HOST "${config.host}" is no address of this machine.`)
      default:
        throw error
    }
  }
}
