"""The steps of a restore, each `(request, rooms) -> Answer` like every step. This package's modules, and the steps in them:

    request        restore_request      the entry for people: restore, undo, continue, abandon, status
    begin          restore_begin        lease, run, record
    check          restore_check        is the world still as it was when the plan was confirmed
    applications   restore_stop, restore_lead, restore_start
    databases      restore_prepare, restore_cut_over, restore_verify
    publish        restore_publish      the end of a restore that succeeded
    conclude       restore_conclude     the way out of one that did not
    clean_up       restore_clean_up     what was kept for an undo, when its time is over
    status         restore_status       how far a restore is

A step inside the machine is given `run`, `plan` and `token` (the one that `restore_begin` answered with), those of a database
also `database` (its key). Steps that are repeated until `done` answer `done`, `wait_seconds` (a whole number) and `message`.
What is kept about a restore, and under which names, is in `record`.
"""
