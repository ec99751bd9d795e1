"""Review of results: versions of a mask, corrections, decisions of a reviewer, and training data made from them.

Everything lies beside the results of a case, in its folder `review`: nothing is overwritten, and no database is needed.
"""
