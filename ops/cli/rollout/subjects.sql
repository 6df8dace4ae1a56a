-- name: find_by_email
-- With single sign-on two users may have one address.
select id from auth.users where lower(email) = lower(%(email)s) order by id limit 10

-- name: find_email
select email from auth.users where id = %(user_id)s
