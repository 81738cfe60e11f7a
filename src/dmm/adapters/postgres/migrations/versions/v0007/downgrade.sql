DROP TABLE policy_candidate, parameter_search_piece, parameter_search;
