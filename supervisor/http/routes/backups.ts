import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { AppError } from '../../../shared/errors.ts'
import type { BackupsView } from '../../backup/backup-view.ts'
import { checkedId } from '../checked-id.ts'
import { BackupNow } from '../schemas/commands.ts'
import { AccountParams, answers } from '../schemas/common.ts'
import type { HttpDeps } from '../server.ts'

/** Backups at the operator's word. They answer at once with the accounts that are to be saved; the dashboard tells the rest. */
export function backupRoutes({ views: { backups, registry } }: HttpDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/api/whatsapp/backup-now',
      {
        schema: {
          summary: 'Save what no backup has, of all accounts',
          tags: ['backups'],
          response: answers(BackupNow),
        },
      },
      async () => {
        const all = registry.all().map(({ record }) => record.accountId)
        return { success: true as const, pending: kept(backups).saveNow(all) }
      },
    )

    app.post(
      '/api/whatsapp/accounts/:accountId/backup-now',
      {
        schema: {
          summary: 'Save what no backup has, of one account',
          tags: ['backups'],
          params: AccountParams,
          response: answers(BackupNow),
        },
      },
      async (request) => {
        const accountId = checkedId(request.params.accountId)
        if (registry.get(accountId) === undefined) {
          throw new AppError('account_not_found', `There is no account "${accountId}".`)
        }
        return { success: true as const, pending: kept(backups).saveNow([accountId]) }
      },
    )
  }
}

function kept(backups: BackupsView | null): BackupsView {
  if (backups !== null) return backups
  throw new AppError('backups_disabled', 'No backups are kept: set FIRESTORE_PROJECT_ID, and start the service again.')
}
