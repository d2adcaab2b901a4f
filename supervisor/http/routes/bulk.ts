import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { AppError } from '../../../shared/errors.ts'
import { addAccounts } from '../../accounts/onboarding.ts'
import { describeAction } from '../../views/fleet-view.ts'
import { iso } from '../../views/iso.ts'
import {
  ActionBody,
  ActionParams,
  ActionStarted,
  ActionState,
  AddAccountsBody,
  AddedAccounts,
} from '../schemas/bulk.ts'
import { answers } from '../schemas/common.ts'
import type { HttpDeps } from '../server.ts'

/** What is done with many accounts. */
export function bulkRoutes(deps: HttpDeps): FastifyPluginAsyncTypebox {
  const { actions } = deps
  const tags = ['accounts']
  return async (app) => {
    app.post(
      '/api/whatsapp/add-accounts',
      {
        schema: {
          summary: 'Add many accounts',
          description:
            'Answers when they are known, with an outcome for each; waits for no QR codes, and asks for none: ' +
            'POST accounts/:accountId/pair when somebody stands there with the phone. Twice is once.',
          tags,
          body: AddAccountsBody,
          response: answers(AddedAccounts),
        },
      },
      async (request) => ({ success: true as const, results: await addAccounts(request.body.accounts, deps) }),
    )

    app.post(
      '/api/whatsapp/actions',
      {
        schema: {
          summary: 'Do something with a selection of accounts',
          description: 'Answers at once; follow it by GET /api/whatsapp/actions/:actionId or by the event stream.',
          tags,
          body: ActionBody,
          response: answers(ActionStarted),
        },
      },
      async (request) => {
        const { id, total } = actions.begin(request.body.action, request.body.accountIds)
        return { success: true as const, actionId: id, total }
      },
    )

    app.get(
      '/api/whatsapp/actions/:actionId',
      {
        config: { access: 'viewer' },
        schema: {
          summary: 'How far an action is',
          description: 'The last 50 that are over are kept, until the service ends.',
          tags,
          params: ActionParams,
          response: answers(ActionState),
        },
      },
      async (request) => {
        const { actionId } = request.params
        const action = actions.get(actionId)
        if (action === undefined) {
          throw new AppError('action_not_found', `There is no action "${actionId.slice(0, 80)}" (any more).`)
        }
        const { finishedAtMs, results } = action
        return {
          success: true as const,
          action: { ...describeAction(action), finishedAt: iso(finishedAtMs), results: [...results] },
        }
      },
    )
  }
}
